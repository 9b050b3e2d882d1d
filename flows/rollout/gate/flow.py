"""The flow `approval`: ask people in the Prefect UI whether a challenger may go on."""

import itertools
from typing import Annotated, Any

import pydantic
from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field

from flows.rollout.appointments import book_looks
from flows.rollout.desk import Desk, artifact_key, moment, opened
from flows.rollout.gate.collect import points, shown_decision
from flows.rollout.gate.form import answered, form_of
from flows.rollout.gate.forms import marks, over
from flows.rollout.gate.page import form_text, page
from flows.rollout.pages import tend_pages
from flows.rollout.rollout import heartbeat
from registry.errors import Refusal
from registry.home import Settings
from registry.records.gate import GateState
from registry.store.registry import Registry

RolloutName = Annotated[
    str,
    Field(
        pattern=r"^(r-[0-9]{4,9})?$",
        examples=["r-0007"],
        description="Id of a rollout; the newest question that waits if empty.",
    ),
]


@flow(name="approval")
def approval(rollout: RolloutName | None = None) -> State[Any]:
    """
    Ask people whether a challenger may go on, and wait for them without a process; one form after the other.

    Whenever it is woken it begins from the top: what was answered before is read again, and not taken twice.

    Args:
        rollout: E.g. r-0007; the newest question that waits if absent.
    """
    name, bound_to = choose(rollout)
    if not name:
        return Completed(message="Nobody is asked anything: no rollout waits for people.")
    trouble = ""
    for turn in itertools.count():
        with opened(Settings()) as desk:
            ended = _ended(desk, name, bound_to)
            if ended:
                get_run_logger().info("%s", ended)
                tend_pages(desk, desk.registry.rollout(name).model)
                return Completed(message=ended)
            form = _form(desk, name, trouble)
        trouble = _ask(form, name, bound_to, turn)
    raise AssertionError("unreachable: people are asked until the question is over")


@task(name="choose the question", persist_result=True)
def choose(rollout: str | None) -> tuple[str, str]:
    """Name the rollout and what is asked; kept, so that a run that is woken asks the same again."""
    with opened(Settings()) as desk:
        state = desk.registry.gate(rollout) if rollout else newest_question(desk.registry)
    if state is None:
        return "", ""
    wanted = sorted({*runtime.flow_run.tags, *marks(state)})
    with get_client(sync_client=True) as client:
        client.update_flow_run(runtime.flow_run.id, tags=wanted)
    return state.rollout, state.bound_to


@task(name="take an answer", persist_result=True)
def take(rollout: str, bound_to: str, turn: int, name: str, role: str, decision: str, reason: str) -> str:
    """
    Sign as the command line does; kept, so that a run that is woken does not sign again.

    Returns:
        Why the answer was not taken; nothing if it was.
    """
    answer = {"yes": "approve", "no": "reject"}[decision]
    with opened(Settings()) as desk:
        try:
            state = desk.registry.sign(
                rollout,
                actor=name,
                role=role,
                reason=reason,
                answer=answer,
                digest=bound_to,
                via="form",
                at=moment(None),
            )
        except Refusal as refusal:
            get_run_logger().warning("answer %s: %s", turn + 1, refusal)
            return f"{refusal.why} {refusal.mend}"
    get_run_logger().info("answer %s: %s said %s as %s; missing: %s", turn + 1, name, decision, role, state.missing)
    return ""


def newest_question(registry: Registry) -> GateState | None:
    """The rollout that was asked about last, of those that wait for people."""
    waiting = [one for one in registry.rollouts() if one.status == "waiting_approval"]
    waiting.sort(key=lambda one: one.waiting.since if one.waiting else one.created_at)
    return registry.gate(waiting[-1].id) if waiting else None


def _ended(desk: Desk, name: str, bound_to: str) -> str:
    """Why nobody is asked any more; a rollout that everybody has agreed to moves on at once."""
    state = desk.registry.gate(name)
    if state.complete and state.status == "waiting_approval" and state.bound_to == bound_to:
        try:
            move = heartbeat(desk, state.model, moment(None))
            book_looks(desk, [state.model], moment(None))
        except Refusal as refusal:
            return f"Everybody has agreed; it goes on with the next look. {refusal.what}"
        return f"Everybody has agreed. {move.kind.replace('_', ' ')}: {move.said}"
    return over(state, bound_to)


def _form(desk: Desk, name: str, trouble: str) -> type[RunInput]:
    """Show the gate on the run's page, and lay out the form below it."""
    rollout, state = desk.registry.rollout(name), desk.registry.gate(name)
    decision, reports = shown_decision(desk.registry, rollout), desk.settings.reports_dir
    text = page(rollout, state, decision, points(desk.settings, desk.registry, rollout), reports)
    said = f"{name}: {rollout.challenger} waits for {', '.join(state.missing)}"
    create_markdown_artifact(text, key=artifact_key("approval", rollout.model), description=said)
    return form_of(state, form_text(rollout, state, decision, reports, trouble))


def _ask(form: type[RunInput], name: str, bound_to: str, turn: int) -> str:
    """Sleep until somebody answers, and take the answer; says why if it was not taken."""
    try:
        given = answered(suspend_flow_run(wait_for_input=form, key=f"answer-{turn}"))
    except pydantic.ValidationError as error:  # the server checks less than the form asks
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return take(name, bound_to, turn, given.name, given.role, given.decision, given.reason)
