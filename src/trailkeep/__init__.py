"""Trailkeep: security logs of AWS accounts and applications, kept, searched and watched."""
