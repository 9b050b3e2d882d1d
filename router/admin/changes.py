"""What operators and approvers change; one change at a time per model, and each one once."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from registry.assignment import TOTAL
from registry.errors import PlanConflict, StoreUnavailable
from registry.ramp import is_rollback, is_this_rollback
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout
from registry.steering import is_last, pause, resume
from router.admin.lanes import Lane, Lanes
from router.admin.once import Once
from router.admin.reads import record
from router.admin.refusals import Forbidden
from router.admin.said import Said, body_of, said, vouched
from router.admin.steps import Wish, next_share, next_step
from router.decode import NOT_JSON, shown
from router.errors import BadRequest
from router.keeper import Keeper
from router.lastgood import override_of

SAME_INCIDENT_S = 60.0


class Changes:
    """
    Routes that change something.

    Args:
        keeper: Makes rollbacks, and knows the plan.
        plans_dir: Where rollbacks leave their mark for the workers.
    """

    def __init__(self, keeper: Keeper, lanes: Lanes, plans_dir: Path) -> None:
        self._keeper, self._lanes, self._plans_dir = keeper, lanes, plans_dir
        self._once = Once()
        self._locks = [threading.Lock() for _ in range(64)]

    async def publish(self, request: Request) -> Response:
        """Make a plan the newest."""
        body, model = await body_of(request), _model(request)
        try:
            plan = TrafficPlan.from_json(body)
        except NOT_JSON as error:
            raise BadRequest("The plan was not published.", f"{error}.", "Send a TrafficPlan as JSON.") from error
        if plan.model != model:
            raise BadRequest("The plan was not published.", f"It is of {plan.model!r}.", "Use its own address.")
        actor, reason = vouched(request.state.caller, plan.actor, plan.reason)
        told = msgspec.structs.replace(plan, actor=actor, reason=reason)
        return await self._change(request, body, lambda: self._keeper.registry().publish_plan(told))

    async def rollback(self, request: Request) -> Response:
        """Give all callers back."""
        words = await said(request, ("to", "epoch"))
        to = words.more.get("to")
        if to is not None and not isinstance(to, str):
            raise BadRequest("Nothing was changed.", f"to is {shown(to)}, expected a version.", "Name one, or none.")
        if to is not None:
            _need_approver(request, "to bring a version of one's choice into production")
        model = _model(request)

        def back() -> TrafficPlan:
            decided = to is None and self._hold_off(model, words)
            with self._lock_of(model):  # which another change may keep for as long as it waits for the registry
                return self._back(model, words, to, decided=decided)

        return await self._do(request, words.body, self._lanes.rollbacks, back)

    async def pause(self, request: Request) -> Response:
        """Hold the ramp."""
        return await self._paused(request, paused=True)

    async def resume(self, request: Request) -> Response:
        """Let the ramp go on."""
        return await self._paused(request, paused=False)

    async def advance(self, request: Request) -> Response:
        """The next step of the rollout, or another share."""
        words = await said(request, ("share", "variant", "epoch"))
        share, variant = _share(words.more.get("share")), words.more.get("variant")
        if variant is not None and not isinstance(variant, str):
            raise BadRequest("Nothing was changed.", f"variant is {shown(variant)}, expected a name.", "Name one.")
        return await self._change(request, words.body, lambda: self._advance(request, words, share, variant))

    async def _paused(self, request: Request, *, paused: bool) -> Response:
        words = await said(request, ("epoch",))

        def change() -> TrafficPlan:
            plan, registry = self._expected(_model(request), words), self._keeper.registry()
            if registry.active_rollout(plan.model) is not None:
                steer, now = pause if paused else resume, self._keeper.now(plan.model)
                done = steer(registry, plan.model, actor=words.actor, reason=words.reason, at=now)
                return self._told(done.rollout, done.plan)
            if plan.paused == paused:
                return plan
            changed = msgspec.structs.replace(
                plan,
                epoch=plan.epoch + 1,
                paused=paused,
                created_at=self._keeper.now(plan.model),
                actor=words.actor,
                reason=words.reason,
            )
            return registry.publish_plan(changed)

        return await self._change(request, words.body, change)

    async def _change(self, request: Request, body: bytes, change: Callable[[], TrafficPlan]) -> Response:
        def alone() -> TrafficPlan:
            with self._lock_of(_model(request)):
                return change()

        return await self._do(request, body, self._lanes.changes, alone)

    async def _do(self, request: Request, body: bytes, lane: Lane, change: Callable[[], TrafficPlan]) -> Response:
        async def answer() -> Response:
            return record(await lane.run(change))

        key = request.headers.get("idempotency-key")
        if not key:
            return await answer()
        return await self._once(f"{request.state.caller.name} {request.url.path} {key[:256]}", body, answer)

    def _lock_of(self, model: str) -> threading.Lock:
        return self._locks[hash(model) % len(self._locks)]

    def _hold_off(self, model: str, words: Said) -> bool:
        """
        Take challengers off on this machine, without waiting for anybody; whether there was somebody.

        Where nobody is tried, that is the champion that is being watched.
        """
        plan = self._keeper.plan(model)
        if not plan.challengers and not plan.watch:
            return False
        self._expected(model, words)
        self._keeper.hold(plan, words.actor, words.reason)
        return True

    def _back(self, model: str, words: Said, to: str | None, *, decided: bool) -> TrafficPlan:
        plan = self._keeper.plan(model)
        if to is None and self._is_back_already(plan, words):
            return plan
        if not decided:
            self._expected(model, words)
        return self._keeper.roll_back(model, actor=words.actor, reason=words.reason, to=to)

    def _is_back_already(self, plan: TrafficPlan, words: Said) -> bool:
        """
        Whether the newest plan is the rollback that is asked for.

        The same person sends the same words again; or two people, or a person and a guard, act on the
        same incident: the second must not take the champion away, whom the first has just brought back.
        """
        if not is_rollback(plan) or self._has_rollout(plan.model):
            return False
        if is_this_rollback(plan, words.actor, words.reason):
            return True
        mark = override_of(self._plans_dir, plan.model)
        return mark is not None and mark.epoch == plan.epoch - 1 and self._is_young(plan.model)

    def _has_rollout(self, model: str) -> bool:
        """Whether a rollout has begun since, even if it has published no plan yet."""
        try:
            return self._keeper.registry().active_rollout(model) is not None
        except StoreUnavailable:
            return False

    def _is_young(self, model: str) -> bool:
        try:
            made = (self._plans_dir / f"{model}.override").stat().st_mtime
        except OSError:
            return False
        return 0 <= time.time() - made < SAME_INCIDENT_S  # a clock that was put back makes nothing young

    def _advance(self, request: Request, words: Said, share: int | None, variant: str | None) -> TrafficPlan:
        model, registry = _model(request), self._keeper.registry()
        plan, rollout = self._expected(model, words), registry.active_rollout(model)
        if is_last(rollout) or share == TOTAL:
            _need_approver(request, "to give everybody to a challenger")
        wish = Wish(words.actor, words.reason, self._keeper.now(model), share, variant)
        if rollout is None:
            return next_share(registry, plan, wish)
        metrics = self._keeper.metrics(model) if is_last(rollout) else None
        return self._told(rollout, next_step(registry, rollout, wish, metrics))

    def _told(self, rollout: Rollout, plan: TrafficPlan) -> TrafficPlan:
        """Let the flows hear that somebody steered a rollout: they look at once."""
        self._keeper.note(plan.model, "steered", f"{rollout.id}: by plan {plan.epoch}", once=True)
        return plan

    def _expected(self, model: str, words: Said) -> TrafficPlan:
        plan, epoch = self._keeper.plan(model), words.more.get("epoch")
        if epoch is None:
            return plan
        if type(epoch) is not int:
            raise BadRequest("Nothing was changed.", f"epoch is {shown(epoch)}, expected a number.", "Or leave it out.")
        if epoch != plan.epoch:
            why = f"Plan {plan.epoch} is in force, published by {plan.actor}: {plan.reason}; you have seen {epoch}."
            raise PlanConflict("Nothing was changed.", why, "Read the newest plan, and decide again.")
        return plan


def _need_approver(request: Request, what: str) -> None:
    if not request.state.caller.may("approver"):
        role = request.state.caller.role
        raise Forbidden("Nothing was changed.", f"The token is {role}'s, but it takes an approver {what}.", "Ask one.")


def _share(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        mistake = f"share is {shown(value)}, expected a number from 0 to 1."
        raise BadRequest("Nothing was changed.", mistake, "A tenth of the callers is 0.1.")
    return round(value * TOTAL)


def _model(request: Request) -> str:
    model: str = request.path_params["model"]
    return model
