"""Helpers that benchmarks and tests share."""
