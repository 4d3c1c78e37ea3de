"""What holds for every test: one thread, no windows; how many examples a property gets."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Before torch or matplotlib is imported by any test: two workers with all cores each only wait for one another.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

# `make fuzz` asks for thousands; a test that needs fewer or more says so itself.
slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
# The same examples every time: `make fuzz` is where new ones are looked for.
settings.register_profile("tests", max_examples=60, deadline=None, derandomize=True)
settings.register_profile(
    "fuzz", max_examples=int(os.environ.get("DLCOURSE_FUZZ", "1000")), deadline=None, suppress_health_check=slow
)
settings.load_profile("fuzz" if "DLCOURSE_FUZZ" in os.environ else "tests")
