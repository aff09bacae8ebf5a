"""Sigma's levels and OCSF's severity_id, each from the other."""

LEVELS = ("informational", "low", "medium", "high", "critical")


def severity_of(level: str) -> int:
    """OCSF severity_id (1 Informational to 5 Critical) of a Sigma level."""
    return LEVELS.index(level) + 1


def level_of(severity_id: int) -> str:
    """The Sigma level of an OCSF severity_id; 6 (Fatal) counts as critical, 0 (Unknown) as informational."""
    return LEVELS[min(max(severity_id, 1), 5) - 1]
