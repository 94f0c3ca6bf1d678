"""Schedules as torch itself makes, writes, loads and lowers them; no process group is started."""

from __future__ import annotations

import csv
from pathlib import Path
from unittest import mock

from torch.distributed.pipelining.stage import PipelineStage

from tests.torch_versions import _add_send_recv, _PipelineScheduleRuntime, get_schedule_ops

STAGE_OPERATIONS = ("UNSHARD", "RESHARD")


def write(path: Path, name: str, ranks: int, micro_batches: int, chunks: int | None = None,
          **options: bool) -> Path:
    """One of PyTorch's schedules, written by its own classes into a CSV as `_dump_csv` does."""
    actions = get_schedule_ops(name, ranks, micro_batches, chunks, **options)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(actions)
    return path


def runtime(ranks: int, chunks: int, micro_batches: int) -> _PipelineScheduleRuntime:
    """PyTorch's runtime around stages that only know where they are."""
    stages = []
    for chunk in range(chunks):
        stage = mock.create_autospec(PipelineStage, instance=True)
        stage.group_rank, stage.group_size, stage.submod = 0, ranks, None
        stage.num_stages, stage.stage_index = ranks * chunks, chunk * ranks
        stages.append(stage)
    return _PipelineScheduleRuntime(stages, micro_batches)


def reloaded(text: str, path: Path, form: str, ranks: int, chunks: int, micro_batches: int
             ) -> tuple[bytes, _PipelineScheduleRuntime]:
    """What torch dumps after it has parsed, validated and lowered `text`."""
    path.write_bytes(text.encode())
    loaded = runtime(ranks, chunks, micro_batches)
    loaded._load_csv(str(path), format=form)
    back = path.with_suffix(".back")
    loaded._dump_csv(str(back), format=form)
    return back.read_bytes(), loaded


def lowered(loaded: _PipelineScheduleRuntime, reduce_grad: dict[int, list]) -> list[list[str]]:
    """Torch's own placement of SEND and RECV among passes and REDUCE_GRAD."""
    homes = loaded.stage_index_to_group_rank
    out = _add_send_recv({rank: list(actions) for rank, actions in reduce_grad.items()},
                         stage_to_rank=lambda stage: homes[stage], num_stages=len(homes))
    return [[str(action) for action in out[rank]] for rank in sorted(out)]
