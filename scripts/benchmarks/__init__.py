"""Measurements, one idea a module; each has `measure(repetitions=, quick=)`, which gives rows of the table."""
