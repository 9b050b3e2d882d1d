"""The flow `incident`: write up every rollback, whoever made it."""

from collections.abc import Iterable
from typing import NamedTuple

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.client import RouterClient
from flows.client.naming import named
from flows.config.forms import ModelName
from flows.config.load import named_model
from flows.errors import FlowsError
from flows.reports.incidents.blocks import title_of
from flows.reports.incidents.gather import Sources
from flows.reports.incidents.write import write_all
from registry.home import Settings
from registry.records.incident import Incident
from registry.store.registry import Registry


class _Desk(NamedTuple):
    settings: Settings
    registry: Registry
    client: RouterClient


@flow(name="incident", flow_run_name=named("incident"))
def incident(model: ModelName | None = None) -> list[str]:
    """
    Write a report of every rollback that has none yet, and show it in the UI.

    What could not be written now is written by the next flow `watch`, minutes later.

    Args:
        model: Name of the model; every one with a version if empty.

    Returns:
        Paths of the reports that are new, or say more than before.
    """
    settings = Settings().prepare()
    with Registry.open(settings.registry_url) as registry, RouterClient(settings) as client:
        names = [named_model(model, settings)] if model else registry.models()
        return write_pending(_Desk(settings, registry, client), names)


def write_pending(desk: Sources, models: Iterable[str]) -> list[str]:
    """
    Write what is missing, within a flow.

    Raises:
        FlowsError: If a report could not be written; the others are.
    """
    done, troubles = write_all(desk, models, _show)
    for one in done:
        if one.fresh:
            get_run_logger().info("written: %s", one.path)
    if troubles:
        raise FlowsError("Some incidents were not written up.", "; ".join(troubles), "Mend it, and run `incident`.")
    return [str(one.path) for one in done if one.fresh]


def _show(found: Incident, markdown: str) -> None:
    key = "-".join(("incident", found.model, found.id)).replace("_", "-").lower()
    create_markdown_artifact(markdown, key=key, description=title_of(found))
