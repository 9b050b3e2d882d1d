"""The flow `rollback`: give all callers back, now."""

from datetime import datetime

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.config.forms import FROM_THE_FORM, Actor, ModelName, Reason, VersionName
from flows.config.load import named_model
from flows.rollout.desk import artifact_key, moment
from flows.rollout.giveback import give_back
from registry.home import Settings
from registry.records.plan import CHAMPION


@flow(name="rollback", flow_run_name="{model}")
def rollback(
    model: ModelName | None = None,
    actor: Actor = FROM_THE_FORM,
    reason: Reason = "asked for in the Prefect UI",
    to: VersionName | None = None,
    as_of: datetime | None = None,
) -> dict[str, str]:
    """
    Take the challenger off, or bring an earlier champion back.

    Args:
        model: Name of the model; the only one there is if empty.
        actor: Who wants it; written into the audit trail.
        reason: Why; people read it in the incident's message.
        to: Version to bring back; the one before if absent and nothing is being rolled out.
        as_of: On the model's clock; now if absent.
    """
    settings = Settings()
    model = named_model(model, settings)
    plan = give_back(settings, model, actor=actor, reason=reason, to=to or None, at=moment(as_of))
    said = f"{plan.version_of(CHAMPION)} answers everybody by plan {plan.epoch}"
    get_run_logger().info("%s: %s", model, said)
    create_markdown_artifact(f"# {model}: rolled back\n\n{said}.\n\nBy {actor}: {reason}", key=_key(model))
    return {"model": model, "champion": plan.version_of(CHAMPION), "epoch": str(plan.epoch), "said": said}


def _key(model: str) -> str:
    return artifact_key("rollback", model)
