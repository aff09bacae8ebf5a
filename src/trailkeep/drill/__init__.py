"""Harmless attacks played through the whole way from a log to people, and what came of them kept as evidence."""
