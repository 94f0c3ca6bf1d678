"""Systems of several workers, each with the whole network."""

from sim.experiment.systems import Common, Document, system

HETPIPE_WORKERS = 2


@system("data-parallel",
        rule="the network on every device, gradients averaged by a ring all-reduce",
        source="synchronous data parallelism; a device for each stage of the pipelines",
        reading="every worker takes a whole mini-batch, so an update sees as many as workers")
def data_parallel(common: Common) -> Document:
    """The whole network on each device, gradients averaged by an all-reduce."""
    return common.one_device(common.stages)


@system("hetpipe", rule="two pipelined workers with S mini-batches in flight, a parameter server, "
                        "clock distance D = 0", source="Park et al. 2020 (HetPipe), "
                        "wave-synchronous parallel [recalled]",
        reading="stage-local latest weights; a pull brings exactly the waves it waits for")
def hetpipe(common: Common) -> Document:
    """Two pipelines with weight stashing that exchange waves through a server."""
    pipeline = common.pipeline("round-robin", "stash",
                               minibatches=common.minibatches(HETPIPE_WORKERS))
    return pipeline | {"workers": {"count": HETPIPE_WORKERS, "combine": "wave"}}


@system("bmuf", rule="every device trains a block alone, block momentum filters the mean update",
        source="Chen & Huo 2016 (BMUF) [recalled], μ = 1 − 1/R, ζ = 1",
        reading="blocks of five mini-batches, a worker's velocity lives on")
def bmuf(common: Common) -> Document:
    """The whole network on each device, weights filtered after blocks of mini-batches."""
    workers = common.stages
    return common.one_device(workers, {"name": "block-momentum", "momentum": 1 - 1 / workers})
