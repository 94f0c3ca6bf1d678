"""Shared by every test: one BLAS thread a process, and hypothesis without deadlines.

`HYPOTHESIS_PROFILE=explore` looks further afield, with examples that differ from run to run.
"""

import gc
import os

from hypothesis import HealthCheck, settings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("suite", deadline=None, max_examples=80, derandomize=True,
                          database=None, suppress_health_check=SLOW)
settings.register_profile("explore", deadline=None, max_examples=800, database=None,
                          suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_collection_finish():
    """Set the collected suite apart: else every `gc.collect` of a run on stages walks all of it,
    half a second each time."""
    gc.collect()
    gc.freeze()
