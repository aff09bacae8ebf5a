"""Decompressed bytes in, raw records out: one file a format."""
