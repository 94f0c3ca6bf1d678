"""Bytes worked out without computing, against what autograd really keeps."""

import torch

from tests.gpu.conftest import cpu_assembly


def really_kept(model, inputs):
    """Bytes of all storages a real forward keeps, its input included, parameters not."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters}
    found = {inputs.untyped_storage().data_ptr(): inputs.untyped_storage().nbytes()}
    alive = []

    def keep(tensor):
        alive.append(tensor)
        if tensor.untyped_storage().data_ptr() not in own:
            found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        output = model.module(inputs.requires_grad_())
    found.pop(0, None)
    return sum(found.values()), output.detach()


def test_sizes_are_those_of_a_real_forward():
    task = cpu_assembly(stages=3).task
    here = task.inputs(0)
    for model, sizes in zip(task.models, task.stage_sizes(), strict=True):
        assert sizes.input_shape == tuple(here.shape)
        assert sizes.input_bytes == here.numel() * 4
        assert sizes.weight_bytes == len(model.live) * 4
        kept, here = really_kept(model, here)
        assert abs(sizes.activation_bytes - kept) <= 0.02 * kept


def test_a_recomputing_stage_keeps_its_input_alone():
    for sizes in cpu_assembly(stages=3, backward="recompute").task.stage_sizes():
        assert sizes.activation_bytes == sizes.input_bytes
