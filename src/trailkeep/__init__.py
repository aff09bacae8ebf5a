"""Trailkeep: security logs of AWS accounts and applications, kept, searched and watched."""

__version__ = "0.1.0"
