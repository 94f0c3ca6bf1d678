"""Simulator of pipeline-parallel training that knows which weights every pass used.

Order decides numerics; time decides throughput.  A `Program` fixes which weight version every
forward and backward reads; an engine adds times to it; training runs through it.

    >>> import sim
    >>> sim.run(stages=4, mitigation="spectrain", minibatches=20)
    Trace of 4 stages on 4 devices, 20 mini-batches: 240 spans
    round-robin, spectrain, seed 0
    makespan 46 s

Names are imported when they are first used, so `import sim` itself imports no library.
`sim.schedules` and `sim.mitigations` are packages, and can be read like the mapping of what is
registered in them: `sim.schedules["gpipe"]`, `list(sim.mitigations)`, `sim.schedules.names()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.neighbours import HOME as HOME
from sim.neighbours import found_when_used, refuse_foreign

if TYPE_CHECKING:
    from sim.commands.library import compare
    from sim.errors import ConfigurationError
    from sim.experiment.options import Experiment
    from sim.library.replicas import replicas
    from sim.library.running import load, parse_program, run
    from sim.mitigations import Mitigation
    from sim.order.program import Program
    from sim.registry import Registry
    from sim.schedules import Schedule
    from sim.trace import Trace

    schedules: Registry[Schedule]
    mitigations: Registry[type[Mitigation]]

__version__ = "0.1.0"
__all__ = ["ConfigurationError", "Experiment", "Program", "Trace", "__version__",
           "compare", "load", "mitigations", "parse_program", "replicas", "run", "schedules"]

_MODULES = {"compare": "sim.commands.library", "ConfigurationError": "sim.errors",
            "Experiment": "sim.experiment.options", "replicas": "sim.library.replicas",
            "load": "sim.library.running", "parse_program": "sim.library.running",
            "run": "sim.library.running", "Program": "sim.order.program", "Trace": "sim.trace",
            "schedules": "sim.schedules", "mitigations": "sim.mitigations"}

refuse_foreign()

__getattr__, __dir__ = found_when_used(__name__, _MODULES)
