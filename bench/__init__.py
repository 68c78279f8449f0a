"""Measurements beside tests: figures of this machine, compared in one run, never a pass or a failure."""
