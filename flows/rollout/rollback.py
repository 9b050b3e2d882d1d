"""The flow `rollback`: give all callers back, now."""

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.client.naming import named
from flows.config.forms import FROM_THE_FORM, Actor, ModelName, Moment, Reason, VersionName
from flows.config.load import named_model
from flows.reports.incidents.flow import write_pending
from flows.rollout.desk import artifact_key, moment, opened
from flows.rollout.gate.forms import tend_forms
from flows.rollout.giveback import PATIENCE_S, give_back
from flows.rollout.pages import tend_pages
from registry.errors import NotFound, Refusal, StageConflict, StoreUnavailable
from registry.home import Settings
from registry.records.plan import CHAMPION
from registry.store.registry import Registry


@flow(name="rollback", flow_run_name=named("rollback", "the only model"))
def rollback(
    model: ModelName | None = None,
    actor: Actor = FROM_THE_FORM,
    reason: Reason = "asked for in the Prefect UI",
    to: VersionName | None = None,
    as_of: Moment | None = None,
) -> dict[str, str]:
    """
    Take the challenger off, or bring an earlier champion back.

    Args:
        model: Name of the model; the only one with something to take back if empty.
        actor: Who wants it; written into the audit trail.
        reason: Why; people read it in the incident's message.
        to: Version to bring back; the one before if absent and nothing is being rolled out.
        as_of: On the model's clock; now if absent.
    """
    settings = Settings()
    model = chosen(model, settings)
    plan = give_back(settings, model, actor=actor, reason=reason, to=to or None, at=moment(as_of))
    said = f"{plan.version_of(CHAMPION)} answers everybody by plan {plan.epoch}"
    get_run_logger().info("%s: %s", model, said)
    create_markdown_artifact(f"# {model}: rolled back\n\n{said}.\n\nBy {actor}: {reason}", key=_key(model))
    _write_up(settings, model)
    return {"model": model, "champion": plan.version_of(CHAMPION), "epoch": str(plan.epoch), "said": said}


def chosen(model: str | None, settings: Settings) -> str:
    """
    Name the model that is meant: *model*, or the only one with something to take back.

    Raises:
        NotFound: If none is named and there is not exactly one, or there is none of this name.
    """
    if model:
        return named_model(model, settings)
    try:
        with Registry.open(settings.registry_url, patience_s=PATIENCE_S) as registry:
            known = registry.models()
            able = [name for name in known if _has_way_back(registry, name)]
    except StoreUnavailable:
        return named_model(None, settings)
    if len(able) == 1:
        return able[0]
    what = "No model was named, and nothing was rolled back."
    if able:
        why = f"There is something to take back of {len(able)} models: {', '.join(able)}."
        raise NotFound(what, why, "Name one of them.")
    why = f"None of {', '.join(known)} has a challenger or a former champion." if known else "None is registered yet."
    raise NotFound(what, why, "See `understudy models`.")


def _has_way_back(registry: Registry, model: str) -> bool:
    try:
        registry.returning(model)
    except StageConflict:
        return False
    return True


def _write_up(settings: Settings, model: str) -> None:
    """Pages and report may wait for the next look; callers and registry are as they should be already."""
    try:
        with opened(settings) as desk:
            tend_forms(desk, model)
            tend_pages(desk, model)
            write_pending(desk, [model])
    except Refusal as refusal:
        get_run_logger().warning("%s: the incident is written up later: %s", model, refusal)


def _key(model: str) -> str:
    return artifact_key("rollback", model)
