"""Benchmarks of speed: python -m bench, bench.page, bench.crowd, bench.scale."""
