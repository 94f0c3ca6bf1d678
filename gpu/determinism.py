"""Settings under which two runs of one program on one device can be compared number by number."""

from __future__ import annotations

import os

import torch

from sim.errors import ConfigurationError, shown

MOST_THREADS = 1024


def exact(threads: int = 1) -> None:
    """Full-precision, repeatable arithmetic for this process; call it before any worker starts.

    On a CPU sums depend on the number of threads, so that is fixed.  On CUDA: no TF32, no
    autotuning, deterministic algorithms (a warning where there is none), cuBLAS workspaces fixed;
    the last needs to be set before CUDA starts.  New tensors are not filled with NaN, as torch
    would under that setting: nothing here reads what it has not written, and the filling takes
    time on every device.  Source: REFERENCE section 8.  Raises ConfigurationError for a number of
    threads that no machine has.
    """
    if not 1 <= threads <= MOST_THREADS:
        raise ConfigurationError([f"threads: 1 to {MOST_THREADS}, got {shown(threads)}"])
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
