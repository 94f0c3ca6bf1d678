"""Numbers others have published, to stand beside ours; measured on other hardware, never ours."""

from __future__ import annotations

from typing import Any

TUTORIAL: dict[str, Any] = {
    "label": "published, other hardware",
    "source": "PyTorch tutorial, Single-Machine Model Parallel Best Practices",
    "setting": "ResNet-50 cut after layer2, two GPUs, batch 120, 3x128x128, 3 mini-batches, MSE, "
               "SGD 1e-3",
    "single_s": 3.75,
    "model_parallel_s": 4.02,
    "pipelined_s": {"20": 2.51, "12": 2.43},
    "best_split": 12,
}
