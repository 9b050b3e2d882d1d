"""A look in a few words."""

from flows.detection.look import Look


def headline(look: Look) -> str:
    """Say what follows from it."""
    if look.event_id is not None:
        return f"retraining asked for ({look.event_id})"
    if look.held_back is not None:
        return f"retraining held back: {look.held_back}"
    if look.decision.triggered:
        return f"a retraining is due: {look.decision.rule}"
    if look.decision.investigate:
        return "worth a look"
    return "nothing to do" if look.drift.enough else look.drift.said
