"""What a run is called on Prefect's pages."""

from collections.abc import Callable

from prefect import runtime


def named(what: str, otherwise: str = "all") -> Callable[[], str]:
    """
    Name runs of a flow after their model, e.g. "watch-churn".

    Args:
        what: Begins the name.
        otherwise: Ends it where the form left the model empty.
    """

    def name() -> str:
        return f"{what}-{runtime.flow_run.parameters.get('model') or otherwise}"

    return name
