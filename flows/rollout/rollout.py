"""The flow `rollout`: one tick of every model's rollout."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.client.clock import lives_in_another_time
from flows.client.ending import ended
from flows.client.naming import named
from flows.comparison.evidence import live_evidence
from flows.comparison.keep import keep
from flows.comparison.live import LiveCase
from flows.config.forms import ModelName, Moment
from flows.data.live import live_frame
from flows.errors import FlowsError
from flows.rollout.announce import announce, announce_foreign_end, notices_of, tell_before
from flows.rollout.appointments import book_looks, follow
from flows.rollout.describe import markdown
from flows.rollout.desk import Desk, artifact_key, moment, opened
from flows.rollout.gate.forms import tend_forms
from flows.rollout.gate.reminders import remind
from flows.rollout.machine import Move
from flows.rollout.notes import tell_notes
from flows.rollout.pages import tend_pages
from flows.rollout.tick import tick
from registry.errors import Refusal
from registry.home import Settings
from registry.records.verdict import Decision

_MOST_ROWS = 100_000
_NOW = timedelta(minutes=1)


@flow(name="rollout", flow_run_name=named("rollout"))
def rollout(model: ModelName | None = None, as_of: Moment | None = None) -> Any:
    """
    Move every rollout by at most one step, and tell people what the router noted; call it as often as you like.

    Args:
        model: Only this model; every registered one if empty.
        as_of: On the model's clock; now if absent.

    Returns:
        What happened, by model.
    """
    at = moment(as_of)
    with opened(Settings()) as desk:
        done = {name: _one(desk, name, at, scheduled=as_of is None) for name in desk.models(model)}
        if as_of is None:
            follow(desk, done, lambda name: _one(desk, name, moment(None), scheduled=True))
            book_looks(desk, done, moment(None))
    failures = [f"{name}: {error}" for name, error in done.items() if isinstance(error, Refusal)]
    if failures:
        raise FlowsError("Some rollouts could not be looked at.", "; ".join(failures), "Mend the models named.")
    said = {name: f"{move.kind}: {move.said}" for name, move in done.items() if isinstance(move, Move)}
    return ended(said, "; ".join(f"{name}: {one}" for name, one in said.items()) or "There is no model yet.")


def heartbeat(desk: Desk, model: str, at: datetime) -> Move:
    """
    Tick once, and tell people what came of it.

    Args:
        desk: Everything that is needed.
        model: Name of the model.
        at: On the model's clock. If that is now, only time in which somebody looked counts as a step's stay.
    """
    before = desk.registry.active_rollout(model)
    if before is not None:
        before = remind(desk, before, at)
    move = tick(
        desk.registry,
        desk.client,
        model,
        desk.config(model),
        at,
        report=lambda case: _reported(desk, case),
        notices=notices_of,
        first=lambda rollout, move: tell_before(desk, rollout, move),
        longest_gap=desk.config(model).rollout.longest_gap if _is_now(at) else None,
    )
    if before is not None:
        announce(desk, before, move, at)
    if move.kind == "none" and (ended := announce_foreign_end(desk, model, at)):
        return Move(kind="none", step=ended.step, said=f"{ended.id} was rolled back: {ended.said}")
    return move


def _is_now(at: datetime) -> bool:
    """Whether nobody plays another time."""
    return abs(datetime.now(UTC) - at) < _NOW


def _reported(desk: Desk, case: LiveCase) -> Decision:
    """Draw what the router's log shows of this step; without it, the report has no curves."""
    rollout, evidence = case.rollout, None
    with contextlib.suppress(FlowsError):
        frame = live_frame(
            desk.client,
            desk.config(case.model),
            phase=case.phases[-1].phase,
            shadow=rollout.challenger,
            newest=_MOST_ROWS,
            labelled=True,
        )
        evidence = live_evidence(rollout, frame, case.task)
    return keep(desk.settings, case, evidence)


def _hear(desk: Desk, model: str, at: datetime) -> None:
    """Tell what the router noted; if that cannot be done now, the rollout goes on all the same."""
    try:
        tell_notes(desk, model, at)
    except Refusal as refusal:
        get_run_logger().warning("%s: notes of the router wait: %s", model, refusal)


def _one(desk: Desk, model: str, at: datetime, *, scheduled: bool) -> Move | Refusal:
    """Look at one model; whatever goes wrong with it keeps nobody from looking at the others."""
    try:
        return _looked(desk, model, at, scheduled=scheduled)
    except Exception as error:  # noqa: BLE001  a fault of ours with one model's numbers, too
        get_run_logger().error("%s: the look at its rollout failed", model, exc_info=error)
        why = f"{type(error).__name__}: {error}."
        return FlowsError(f"The rollout of {model} was not looked at.", why, "See the log of the run, and report it.")


def _looked(desk: Desk, model: str, at: datetime, *, scheduled: bool) -> Move | Refusal:
    if scheduled and lives_in_another_time(desk.settings, model):
        return Move(kind="none", step=-1, said="a replay moves it, by its own clock")
    if scheduled:
        _hear(desk, model, at)
    try:
        move = heartbeat(desk, model, at)
    except Refusal as refusal:
        get_run_logger().error("%s: %s", model, refusal)
        return refusal
    get_run_logger().info("%s: %s: %s", model, move.kind, move.said)
    if move.moves:
        text = markdown(model, desk.registry.rollouts(model)[0], move)
        create_markdown_artifact(text, key=artifact_key("rollout", model), description=move.said)
    if scheduled:
        tend_forms(desk, model)
        tend_pages(desk, model)
    return move
