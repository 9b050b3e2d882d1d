"""Extra looks, as scheduled runs of a deployment of Prefect."""

from datetime import datetime, timedelta

from flows.client import booking

DEPLOYMENT = "monitor/monitor-on-demand"
_SLACK = timedelta(minutes=5)


def book(model: str, at: datetime, reason: str) -> bool:
    """
    Have a model looked at once more; a later extra look that waits already gives way, an earlier one suffices.

    Args:
        model: Name of the model.
        at: When; at most one extra look per model and second can be booked.
        reason: Shown where a later one was called off.

    Returns:
        Whether a run was added.

    Raises:
        Exception: Whatever Prefect's client raises, if its server is away or does not know the deployment.
    """
    wanted = booking.Appointment(DEPLOYMENT, tag(model), {"model": model}, at, _SLACK)
    return booking.book(wanted, reason)


def tag(model: str) -> str:
    """Mark of the extra looks at a model."""
    return f"extra-look:{model}"
