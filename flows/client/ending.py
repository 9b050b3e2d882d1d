"""The end of a run, as its page shows it."""

from typing import Any

from prefect import runtime
from prefect.states import Completed

_LONGEST = 2000


def ended(found: Any, said: str) -> Any:
    """
    Say in one sentence what came of a run of a deployment; whoever calls the flow himself gets *found*.

    Example:
        >>> ended({"churn": 1}, "one")
        {'churn': 1}
    """
    return found if runtime.deployment.id is None else Completed(message=said[:_LONGEST], data=found)
