"""Mitigations of weight staleness: one file each, five questions answered.

Which version does a forward read, which a backward, what weights does the pass compute with, how
is the gradient applied, and with which learning rate.  The defaults are the identity: `Mitigation`
itself is vanilla asynchronous training.  A mitigation declares which answers are its own, so that
nobody has to try them.  Arrays may be NumPy or torch, so methods use operators only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from sim.order.shape import PipelineShape
from sim.registry import Registry, readable


class Reads(NamedTuple):
    """What is known when a pass chooses its weight version, as integers or as arrays of them.

    `latest` is the newest version on the stage, `entry` the version stage 0 had when the
    micro-batch entered (−1 where copies of stages count different updates), `forward` the version
    this micro-batch's forward read here (equal to `latest` in the forward itself), `index` the
    micro-batch, `microbatches` their number per update.
    """

    latest: Any
    entry: Any
    forward: Any
    index: Any
    microbatches: int


class Look(NamedTuple):
    """What a mitigation sees of a stage when it chooses the weights of a pass.

    `weights` are those of the version the pass reads, `latest` the newest, `used` what this
    micro-batch's forward computed with (in a backward, of a mitigation whose `stash` is the
    prediction: nobody else keeps it), `velocity` the optimizer's velocity that produced `latest`,
    all (parameters,) or, of replicas, (replicas, parameters); `learning_rate` is the next
    update's, `horizon` the updates until the gradient's own, read off the program, `unit_horizon`
    SpecTrain's closed form (None off round-robin), `gap` the versions between the one read and
    the latest.
    """

    weights: Any
    latest: Any
    used: Any
    velocity: Any
    learning_rate: Any
    momentum: float
    horizon: int
    unit_horizon: int | None
    gap: int


class Late(NamedTuple):
    """What a mitigation sees of an update when it chooses its learning rate.

    `learning_rate` is that of the schedule (of replicas side by side (replicas, 1)), `delay` the
    updates of this stage since the oldest version that a forward of what is applied has read, and
    `depth` the stages from this one to the last: as many mini-batches as 1F1B has in flight here.
    """

    learning_rate: Any
    delay: int
    depth: int


@dataclass(frozen=True)
class Setting:
    """The pipeline that a mitigation is to be used on: the name of its schedule, and its shape."""

    schedule: str
    shape: PipelineShape


@dataclass(frozen=True)
class Mitigation:
    """A rule against weight staleness; this one does nothing: vanilla asynchronous training.

    Subclasses override what they change, and declare it.  Who steps the stages goes by the
    declarations alone, so a method of a mitigation that declares none of them would never be asked:
    `mitigation` refuses to register it.

    `stash`: what a stage keeps for the backward beside its newest weights, the `version` it will
    read or the `prediction` its forward computed with.  `keeps_forward`: a backward reads the
    version its own forward read.  `predicts`: passes compute with weights predicted from those
    they read.  `interpolates`: a backward computes with weights between those it reads and the
    latest.  `treats_gradient`: the optimizer sees another gradient than the backwards gave.
    `adapts_rate`: updates step by another learning rate than the schedule's.
    """

    name: ClassVar[str]
    rule: ClassVar[str]
    source: ClassVar[str]
    stash: ClassVar[Literal["version", "prediction"]] = "version"
    keeps_forward: ClassVar[bool] = False
    predicts: ClassVar[bool] = False
    interpolates: ClassVar[bool] = False
    treats_gradient: ClassVar[bool] = False
    adapts_rate: ClassVar[bool] = False

    def check(self, setting: Setting) -> None:
        """Refuse a pipeline it is not defined on.  Raises ValueError with the reason."""

    def forward_version(self, reads: Reads) -> Any:
        """The weight version a forward reads: the latest unless overridden.

        For arrays in `reads` it is an array of their shape, (stages, micro-batches).
        """
        return reads.latest

    def backward_version(self, reads: Reads) -> Any:
        """The weight version a backward reads: the latest unless overridden.

        For arrays in `reads` it is an array of their shape, (stages, micro-batches).  To override
        it is to say whether `keeps_forward` holds.
        """
        return reads.latest

    def forward_weights(self, look: Look) -> Any:
        """The weights a forward computes with; only one that `predicts` is asked for them."""
        return look.weights

    def backward_weights(self, look: Look) -> Any:
        """The weights a backward computes with, of one that `predicts` or `interpolates`."""
        return look.weights

    def gradient(self, gradient: Any, look: Look) -> Any:
        """The gradient the optimizer gets for one mini-batch, of one that `treats_gradient`."""
        return gradient

    def step_rate(self, late: Late) -> Any:
        """The learning rate of one update, of one that `adapts_rate`; 0 steps nowhere.

        Only the step is another: predictions go on with the schedule's rate.
        """
        return late.learning_rate

    def steps_ahead(self, horizon: Any, unit_horizon: int | None) -> Any:
        """How many updates ahead a pass's weights are predicted: none unless it `predicts`.

        A pass that is ahead by any computes with a copy of its own.  `horizon`, a number or an
        array, is the updates until the mini-batch's own, and `unit_horizon` SpecTrain's closed form
        of it (None: undefined); the result is like `horizon`.  One that `predicts` and says no more
        is one step ahead, whatever the horizon.
        """
        return 0 * horizon + int(self.predicts)

    def effective_staleness(self, gap: Any) -> Any:
        """How many updates weights are behind in effect, where `gap` versions back are read.

        Other than the gap only of a mitigation that `interpolates`; between 0 and the gap the pass
        computes with a copy of its own.
        """
        return gap

    @property
    def finds_forward(self) -> bool:
        """Whether a backward finds the very weights its forward read, though workers have put
        others in their place since: `keeps_forward`, unless parameters make that mean nothing."""
        return self.keeps_forward


MITIGATIONS: Registry[type[Mitigation]] = Registry("mitigation", "sim.mitigations")
readable(MITIGATIONS)


# What a method's own answer has to be declared as, and what may give the declaration a meaning
DECLARED_AS: dict[str, tuple[str, ...]] = {
    "forward_weights": ("predicts",),
    "steps_ahead": ("predicts",),
    "backward_weights": ("predicts", "interpolates"),
    "effective_staleness": ("interpolates",),
    "gradient": ("treats_gradient",),
    "step_rate": ("adapts_rate",),
}
MEANS_NOTHING_WITHOUT: dict[str, tuple[str, ...]] = {
    "predicts": ("forward_weights", "backward_weights"),
    "interpolates": ("backward_weights",),
    "treats_gradient": ("gradient",),
    "adapts_rate": ("step_rate",),
    "keeps_forward": ("backward_version",),
}


def mitigation(
    name: str, *, rule: str, source: str
) -> Callable[[type[Mitigation]], type[Mitigation]]:
    """Register the decorated class as the mitigation `name`.

    It is a frozen dataclass whose fields are the mitigation's parameters.  Raises
    ValueError where it overrides what it does not declare, or the other way round.
    """

    def register(cls: type[Mitigation]) -> type[Mitigation]:
        _check_declarations(name, cls)
        cls.name, cls.rule, cls.source = name, rule, source
        return MITIGATIONS.register(name, cls)

    return register


def _check_declarations(name: str, cls: type[Mitigation]) -> None:
    """Raise ValueError where a class's methods and declarations do not go together."""
    own = {method for each in cls.__mro__[: cls.__mro__.index(Mitigation)] for method in vars(each)}
    for method, declarations in DECLARED_AS.items():
        if method in own and not any(getattr(cls, each) for each in declarations):
            raise ValueError(f"mitigation {name!r} has a {method} of its own, which nobody would "
                             f"ask for: declare {' = True or '.join(declarations)} = True")
    if "backward_version" in own and "keeps_forward" not in own:
        raise ValueError(f"mitigation {name!r} has a backward_version of its own: declare "
                         "keeps_forward, True where it is the version the forward read")
    for declaration, methods in MEANS_NOTHING_WITHOUT.items():
        if getattr(cls, declaration) and not own.intersection(methods):
            raise ValueError(f"mitigation {name!r} declares {declaration}, but has no "
                             f"{' or '.join(methods)} of its own")
    if cls.stash == "prediction" and not cls.predicts:
        raise ValueError(f"mitigation {name!r} stashes a prediction: declare predicts = True")
