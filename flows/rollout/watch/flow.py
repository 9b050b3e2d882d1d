"""The flow `watch`: one look at every new champion."""

from datetime import datetime

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.client.clock import lives_in_another_time
from flows.client.naming import named
from flows.config.forms import ModelName, Moment
from flows.config.load import named_model
from flows.errors import FlowsError
from flows.reports.incidents.flow import write_pending
from flows.rollout.desk import Desk, artifact_key, moment, opened
from flows.rollout.watch.describe import markdown
from flows.rollout.watch.look import Looked, look
from registry.errors import Refusal
from registry.home import Settings


@flow(name="watch", flow_run_name=named("watch"))
def watch(model: ModelName | None = None, as_of: Moment | None = None) -> dict[str, str]:
    """
    Compare every new champion with the one before, and give the callers back if it breaks its limits.

    Args:
        model: Name of the model; every one with a version if empty.
        as_of: The model's clock; now if empty.

    Returns:
        What was seen, by model.
    """
    settings, at = Settings(), moment(as_of)
    with opened(settings) as desk:
        names = [named_model(model, settings)] if model else desk.models(None)
        done = {name: _one(desk, name, at, scheduled=as_of is None) for name in names}
        write_pending(desk, [name for name in names if isinstance(done[name], Looked)])
    failures = [f"{name}: {error}" for name, error in done.items() if isinstance(error, Refusal)]
    if failures:
        raise FlowsError("Some watches could not be looked at.", "; ".join(failures), "Mend the models named.")
    return {name: f"{one.kind}: {one.said}" for name, one in done.items() if isinstance(one, Looked)}


def _one(desk: Desk, model: str, at: datetime, *, scheduled: bool) -> Looked | Refusal:
    if scheduled and lives_in_another_time(desk.settings, model):
        return Looked(kind="none", said="a replay looks at it, by its own clock")
    try:
        looked = look(desk, model, at)
    except Refusal as refusal:
        get_run_logger().error("%s: %s", model, refusal)
        return refusal
    get_run_logger().info("%s: %s: %s", model, looked.kind, looked.said)
    if looked.watch is not None:
        create_markdown_artifact(markdown(looked, looked.watch, at), key=artifact_key("watch", model))
    return looked
