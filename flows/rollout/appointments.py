"""When to look at a rollout again: soon in the same run, later by a booked one, else by the schedule."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from prefect import get_run_logger, runtime

from flows.client.booking import Appointment, book
from flows.client.clock import lives_in_another_time
from flows.rollout.desk import Desk
from flows.rollout.due import due_at
from flows.rollout.machine import Move
from registry.errors import Refusal
from registry.records.rollout import Rollout

DEPLOYMENT = "rollout/rollout-on-demand"
SCHEDULE = timedelta(minutes=5)
"""Between two looks that every model gets."""
HORIZON = SCHEDULE + timedelta(minutes=1)
"""What is due later is booked by a later look."""
SOON = timedelta(seconds=20)
"""A process takes about as long to start; what is due before is waited for."""
STAY = timedelta(seconds=240)
"""A run ends before the next scheduled one begins."""
_BREATH = timedelta(seconds=5)
_GLANCE = timedelta(seconds=2)
"""A run that stays asks so often whether people have agreed meanwhile, or steered."""
Look = Callable[[str], Move | Refusal]


def tag(model: str) -> str:
    """Mark of the booked looks at a rollout."""
    return f"next-look:{model}"


def follow(
    desk: Desk,
    done: dict[str, Move | Refusal],
    look: Look,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """
    Stay while a rollout is due within seconds; *done* holds the last thing that happened to each.

    Whoever stays looks at every model: there is one such run at a time, and others wait for it to end.

    Args:
        desk: Everything that is needed.
        done: What came of the first look, by model; changed in place where something moved.
        look: Looks at one model.
        clock, sleep: The wall clock's.
    """
    began, seen = clock(), dict.fromkeys(done, clock())
    until = began + STAY
    while due := _soonest(desk, _to_look_at(desk, done), seen, began, clock()):
        at, model = due
        if at > min(until, clock() + SOON):
            return
        if at > clock():
            sleep(min(at - clock(), _GLANCE).total_seconds())
            continue
        found, seen[model] = look(model), clock()
        if isinstance(found, Refusal) or found.moves:
            done[model] = found


def book_looks(desk: Desk, models: Iterable[str], now: datetime) -> None:
    """Book what is due before the next scheduled look; a server that is away costs punctuality only."""
    if runtime.deployment.id is None:
        return
    for model in models:
        at = _next_look(desk, model, now, now)
        if at is None or at - now > HORIZON:
            continue
        try:
            book(
                Appointment(DEPLOYMENT, tag(model), {"model": model}, at, timedelta(seconds=2)), "a step is due sooner"
            )
        except Exception as error:  # noqa: BLE001  whatever Prefect's client raises
            get_run_logger().warning("%s: the next look was not booked: %s", model, type(error).__name__)


def next_look(desk: Desk, model: str, last: datetime, now: datetime) -> datetime | None:
    """
    Say when to look at a rollout again; None if there is none.

    A compressed rollout is looked at more often by as much as its times are shorter, but not without a breath.
    """
    rollout = desk.registry.active_rollout(model)
    if rollout is None or rollout.status == "paused" or lives_in_another_time(desk.settings, model):
        return None
    due, speed = due_at(rollout, desk.registry.pulse_of(rollout.id), now), desk.config(model).rollout.speed
    if speed > 1 and _may_move_by_a_verdict(rollout):
        due = min(due, last + SCHEDULE / speed)
    if rollout.status == "waiting_approval" and desk.registry.gate(rollout.id).complete:
        due = now
    return max(due, last + _BREATH)


def _may_move_by_a_verdict(rollout: Rollout) -> bool:
    """A step that ended without one is left by a verdict that comes later, while people are asked about it."""
    asked = rollout.waiting.question if rollout.waiting is not None else None
    return rollout.status == "running" or (rollout.status == "waiting_approval" and asked == "inconclusive")


def _to_look_at(desk: Desk, done: dict[str, Move | Refusal]) -> list[str]:
    """Models that could not be looked at wait for the schedule."""
    return [name for name in desk.registry.models() if not isinstance(done.get(name), Refusal)]


def _soonest(
    desk: Desk, names: Iterable[str], seen: dict[str, datetime], began: datetime, now: datetime
) -> tuple[datetime, str] | None:
    dues = [(at, name) for name in names if (at := _next_look(desk, name, seen.get(name, began), now)) is not None]
    return min(dues, default=None)


def _next_look(desk: Desk, model: str, last: datetime, now: datetime) -> datetime | None:
    """A model whose configuration cannot be read keeps nobody from looking at the others."""
    try:
        return next_look(desk, model, last, now)
    except Refusal:
        return None
