"""How patient a run is with what is not ready yet: the same figures, whoever runs a plan."""

DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 60.0)
"""Seconds between tries: two and a half minutes in all, on top of the deadlines of the kinds themselves."""

_SHORTEST_SECONDS = 0.05
_USUAL_POLL_SECONDS = 5.0


def delays(poll_seconds: float) -> list[float]:
    """The delays for a target: shorter where looking is cheap, as in a rehearsal, and never longer than usual."""
    return [max(_SHORTEST_SECONDS, delay * scale(poll_seconds)) for delay in DELAYS]


def scale(poll_seconds: float) -> float:
    """How much of the usual patience a target asks for, between 0 and 1, by its pause between two looks."""
    return min(1.0, poll_seconds / _USUAL_POLL_SECONDS)
