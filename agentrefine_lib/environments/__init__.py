"""Benchmark engines as text environments behind one protocol."""
