"""Systems without staleness: one device, model parallelism, pipelines that flush."""

from sim.experiment.systems import Common, Document, system


@system("single-gpu", rule="the whole network on one device, one mini-batch at a time",
        source="plain training; stage times added up")
def single_gpu(common: Common) -> Document:
    """The whole network on one device."""
    return common.one_device()


@system("model-parallel", rule="stages on devices of their own, one mini-batch at a time",
        source="naive model parallelism; PyTorch model-parallel tutorial")
def model_parallel(common: Common) -> Document:
    """A stage on each device, one mini-batch in the pipeline at a time."""
    return common.pipeline("sequential")


@system("pipeline-split", rule="forwards split by split, one backward of the whole, flush",
        source="PyTorch model-parallel tutorial, PipelineParallelResNet50",
        reading="the backward's splits run newest first, as autograd visits them")
def pipeline_split(common: Common) -> Document:
    """All forwards of a mini-batch, then its backwards newest first, a flush."""
    return common.pipeline("split", cut=True)


@system("gpipe", rule="all forwards, then all backwards with activations recomputed, flush",
        source="Huang et al. 2019 (GPipe)")
def gpipe(common: Common) -> Document:
    """All forwards of a mini-batch, then all its backwards with recomputing, a flush."""
    return common.pipeline("gpipe", cut=True, backward="recompute")


@system("megatron-1f1b", rule="backward and forward in turn after S−k forwards, flush",
        source="Narayanan et al. 2021 (Megatron-LM), Figure 4 top; PipeDream-flush")
def megatron_1f1b(common: Common) -> Document:
    """One backward and one forward in turn, and a flush after each mini-batch."""
    return common.pipeline("1f1b", cut=True)


@system("megatron-interleaved", rule="1F1B over two chunks of the network on every device, flush",
        source="Narayanan et al. 2021 (Megatron-LM), Figure 4 bottom")
def megatron_interleaved(common: Common) -> Document:
    """1F1B with a flush, over two chunks of the network on each device."""
    return common.interleaved()
