"""What benchmarks and tests both need; no benchmark itself."""
