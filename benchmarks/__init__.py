"""Benchmarks: every figure compares two sides that were measured in one run, turn by turn."""
