"""One rank of a real PyTorch step through a schedule file; started by torchrun.

Prints `equal` where every stage's gradient is that of the whole network on the whole batch, and
leaves torch.profiler's Chrome trace of the step in the folder given.
"""

import sys

import torch
import torch.distributed as dist
from torch.distributed.pipelining import PipelineStage
from torch.distributed.pipelining.schedules import _PipelineScheduleRuntime
from torch.profiler import ProfilerActivity, profile

WIDTH = 5


def main(path: str, form: str, stages: int, micro_batches: int, traces: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    layers = [torch.nn.Linear(WIDTH, WIDTH).double() for _ in range(stages)]
    batch, target = torch.randn(2, 2 * micro_batches, WIDTH, dtype=torch.float64)
    loss_of = torch.nn.functional.mse_loss
    loss_of(torch.nn.Sequential(*layers)(batch), target).backward()
    wanted = [layer.weight.grad.clone() for layer in layers]
    for layer in layers:
        layer.zero_grad()

    mine = range(rank, stages, ranks)
    parts = [PipelineStage(layers[k], k, stages, torch.device("cpu")) for k in mine]
    schedule = _PipelineScheduleRuntime(parts, micro_batches, loss_fn=loss_of)
    schedule._load_csv(path, format=form)
    given = {"target": target} if stages - 1 in mine else {}
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        schedule.step(*([batch] if 0 in mine else []), **given)
    profiled.export_chrome_trace(f"{traces}/rank-{ranks - rank}.json")
    assert all(torch.allclose(layers[k].weight.grad, wanted[k], rtol=1e-12) for k in mine)
    print("equal", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
