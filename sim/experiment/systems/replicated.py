"""Systems of several workers, each with the whole network."""

from sim.experiment.systems import Common, Document, system

HETPIPE_WORKERS = 2


@system("data-parallel",
        rule="the network on every device, gradients averaged by a ring all-reduce",
        source="synchronous data parallelism; a device for each stage of the pipelines",
        reading="every worker takes a whole mini-batch, so an update sees as many as workers, at "
                "the learning rate of one")
def data_parallel(common: Common) -> Document:
    """The whole network on each device, gradients averaged by an all-reduce."""
    return common.one_device(common.stages)


@system("data-parallel-scaled",
        rule="data-parallel at the learning rate times the workers",
        source="synchronous data parallelism; Goyal et al. 2017, linear scaling of the rate "
               "[recalled]",
        reading="every worker takes a whole mini-batch, no warm-up beyond the experiment's own")
def data_parallel_scaled(common: Common) -> Document:
    """The whole network on each device, whole mini-batches and a rate that grows with them."""
    document = common.one_device(common.stages)
    rate = common.experiment.training.learning_rate
    return document | {"training": {"learning_rate": common.stages * rate}}


@system("data-parallel-strong",
        rule="data-parallel where the workers share each mini-batch equally (strong scaling)",
        source="synchronous data parallelism; a device for each stage of the pipelines")
def data_parallel_strong(common: Common) -> Document:
    """The whole network on each device, an equal part of every mini-batch for each."""
    return common.shared(common.stages)


@system("hetpipe", rule="two pipelined workers with a mini-batch in flight a stage, a parameter "
                        "server, clock distance D = 0", source="Park et al. 2020 (HetPipe), "
                        "wave-synchronous parallel [recalled]",
        reading="workers of half the stages, each of two neighbours, so devices as the others "
                "have (of an odd number workers have all stages, on twice the devices); the "
                "server adds the mean of the workers' updates (combine=sum: their sum); "
                "stage-local latest weights; a pull brings exactly the waves it waits for")
def hetpipe(common: Common) -> Document:
    """Two pipelines with weight stashing that exchange waves through a server."""
    workers = HETPIPE_WORKERS
    together = 1 if common.stages % workers else workers
    pipeline = common.shallower([together] * (common.stages // together), "round-robin", "stash",
                                minibatches=common.minibatches(workers))
    return pipeline | {"workers": {"count": workers, "combine": "wave"}}


@system("bmuf", rule="every device trains a block alone, block momentum filters the mean update",
        source="Chen & Huo 2016 (BMUF) [recalled], μ = 1 − 1/R, ζ = 1; velocities reset at every "
               "block [notes]",
        reading="blocks of five mini-batches, classical block momentum (nesterov=true: theirs)")
def bmuf(common: Common) -> Document:
    """The whole network on each device, weights filtered after blocks of mini-batches."""
    workers = common.stages
    return common.one_device(workers, {"name": "block-momentum", "momentum": 1 - 1 / workers})
