"""What holds for every test: one thread, no windows."""

from __future__ import annotations

import os

# Before torch or matplotlib is imported by any test: two workers with all cores each only wait for one another.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"
