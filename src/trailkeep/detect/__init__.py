"""Sigma rules in, matches of them on batches of events out."""
