"""What measures speed: python -m bench, bench.page, bench.scale."""
