"""Collectors: where logs are fetched from."""
