"""Reproducible benchmarks of Trailkeep: data generator, rule generator, stages, one report."""
