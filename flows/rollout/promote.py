"""The flow `promote`: begin the rollout of one version because a person wants it."""

from datetime import datetime

from prefect import flow, get_run_logger, runtime
from prefect.artifacts import create_markdown_artifact

from flows.config.forms import FROM_THE_FORM, Actor, ModelName, Moment, Reason, VersionName
from flows.config.load import named_model
from flows.notify.messages import promoted
from flows.rollout.announce import ask
from flows.rollout.appointments import book_looks
from flows.rollout.begin import begin_rollout, configured_guards, refuse_impossible
from flows.rollout.desk import Desk, artifact_key, moment, opened
from flows.rollout.gate.forms import tend_forms
from flows.rollout.rollout import heartbeat
from flows.tracking.tracker import Tracker
from flows.validation.registered import ensure_validated
from registry.errors import NotFound
from registry.home import Settings


def _run_name() -> str:
    said = runtime.flow_run.parameters
    return f"{said.get('model') or 'the only model'}, {said.get('version') or 'the newest in staging'}"


@flow(name="promote", flow_run_name=_run_name)
def promote(
    model: ModelName | None = None,
    version: VersionName | None = None,
    actor: Actor = FROM_THE_FORM,
    reason: Reason = "asked for in the Prefect UI",
    as_of: Moment | None = None,
) -> dict[str, str]:
    """
    Begin the rollout of *version*; a model without champion gets it as its first one.

    Args:
        model: Name of the model; the only one there is if empty.
        version: A registered version, e.g. v1.2.0; the newest one in staging if empty.
        actor: Who wants it; written into the audit trail.
        reason: Why.
        as_of: On the model's clock; now if absent.
    """
    with opened(Settings()) as desk:
        model = named_model(model, desk.settings)
        version = version or newest_in_staging(desk, model)
        done = start(desk, model, version, actor=actor, reason=reason, at=moment(as_of))
        tend_forms(desk, model)
        if as_of is None:
            book_looks(desk, [model], moment(None))
        get_run_logger().info("%s", done["said"])
        create_markdown_artifact(
            f"# {model}: {version}\n\n{done['said']}\n\nBy {actor}: {reason}", key=artifact_key("promote", model)
        )
        return done


def newest_in_staging(desk: Desk, model: str) -> str:
    """
    Name the version that most likely is meant.

    Raises:
        NotFound: If none is in staging.
    """
    staged = desk.registry.versions(model, "staging")
    if not staged:
        why, mend = f"No version of {model} is in staging.", f"Name one: `understudy models list {model}`."
        raise NotFound("No version was named.", why, mend)
    return staged[0].version


def start(desk: Desk, model: str, version: str, *, actor: str, reason: str, at: datetime) -> dict[str, str]:
    """
    Install the first champion, or begin a rollout and make its first move; repeating it goes on with the same.

    A version that was never validated is validated first, which takes seconds.
    """
    if desk.registry.champion(model) is None:
        return _first(desk, model, version, actor=actor, reason=reason, at=at)
    rollout = desk.registry.active_rollout(model)
    if rollout is None or rollout.challenger != version:
        refuse_impossible(desk.registry, model, version)
        _ask(desk, model, version, actor, at)
        rollout = begin_rollout(
            desk.config(model),
            desk.registry,
            model=model,
            challenger=version,
            decision=None,
            actor=actor,
            reason=reason,
            at=at,
        )
        ask(desk, rollout)
    move = heartbeat(desk, model, at)
    return {"model": model, "rollout": rollout.id, "said": f"{rollout.id}: {move.said}"}


def _first(desk: Desk, model: str, version: str, *, actor: str, reason: str, at: datetime) -> dict[str, str]:
    _ask(desk, model, version, actor, at)
    guards = configured_guards(desk.config(model).guards)
    desk.registry.install_first(model, version, guards=guards, salt=f"{model}.first", actor=actor, reason=reason, at=at)
    said = f"{version} is the first champion of {model}"
    desk.tell(model, promoted(model, version, said), key=f"{model}:first:{version}")
    Tracker.of(desk.settings, model).note_deployment(model, version, "install", said, actor, at)
    return {"model": model, "rollout": "", "said": said}


def _ask(desk: Desk, model: str, version: str, actor: str, at: datetime) -> None:
    wanted = desk.registry.version(model, version)
    ensure_validated(desk.config(model), desk.settings, desk.registry, wanted, actor=actor, at=at)
