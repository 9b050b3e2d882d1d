"""What people are asked before a challenger goes on, and their answers; the token says who they are."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from registry.errors import NotFound
from registry.people import person
from registry.records.gate import GateState
from registry.records.rollout import Rollout
from registry.store.registry import Registry
from router.admin.lanes import Lanes
from router.admin.reads import encoded
from router.admin.refusals import Forbidden
from router.admin.said import said
from router.decode import shown
from router.errors import BadRequest
from router.keeper import Keeper

_DECISIONS = ("approve", "reject")
_FIELDS = ("role", "decision", "digest")


class SignOffs:
    """
    Routes of the approval gate.

    Args:
        keeper: Holds the registry and the model's clock.
        lanes: Threads for looks and changes.
    """

    def __init__(self, keeper: Keeper, lanes: Lanes) -> None:
        self._keeper, self._lanes = keeper, lanes

    async def show(self, request: Request) -> Response:
        """The question, what a sign-off is bound to, and who has signed."""
        model = _model(request)
        return encoded(await self._lanes.looks.run(lambda: _shown(self._keeper.registry(), model)))

    async def sign(self, request: Request) -> Response:
        """One person's answer."""
        words = await said(request, _FIELDS)
        _refuse_another_name(request, words.body)
        via = "shared token" if request.state.caller.name is None else "token"
        wish = _wish(words.more) | {"via": via}
        model = _model(request)

        def answer() -> GateState:
            registry = self._keeper.registry()
            rollout = _active(registry, model)
            at = self._keeper.now(model)
            state = registry.sign(rollout.id, actor=words.actor, reason=words.reason, at=at, **wish)
            if state.complete:
                agreed = f"{rollout.id}: everybody has agreed to {state.bound_to[:12]}"
                self._keeper.note(model, "agreed", agreed, once=True)  # the flows hear of it, and look at once
            elif wish["answer"] == "reject":
                self._keeper.note(model, "steered", f"{rollout.id}: somebody said no", once=True)
            return state

        return encoded(await self._lanes.changes.run(answer))


def _shown(registry: Registry, model: str) -> dict[str, Any]:
    rollout = _active(registry, model)
    found = next((one for one in registry.decisions(model) if one.id == rollout.decision_id), None)
    told = ("id", "outcome", "headline", "report")
    decision = {name: getattr(found, name) for name in told} if found else None
    return {"gate": registry.gate(rollout.id), "decision": decision}


def _active(registry: Registry, model: str) -> Rollout:
    rollout = registry.active_rollout(model)
    if rollout is None:
        why = f"{model} has no active rollout."
        raise NotFound("Nobody is asked anything.", why, "Begin one: `understudy rollout start`.")
    return rollout


def _refuse_another_name(request: Request, body: bytes) -> None:
    """A sign-off is a person's: whoever holds a token of their own signs with its name, and with no other."""
    name = request.state.caller.name
    claimed = msgspec.json.decode(body).get("actor") or request.headers.get("x-actor")
    if name is not None and claimed and person(claimed) != person(name):
        why = f"The token is that of {name}, but the request says {shown(claimed)}."
        raise Forbidden("Nothing was signed.", why, "Leave 'actor' out, or use your own token.")


def _wish(more: dict[str, Any]) -> dict[str, Any]:
    role, decision, digest = more.get("role"), more.get("decision"), more.get("digest")
    mistakes = [] if isinstance(role, str) and role.strip() else [f"role is {shown(role)}, expected e.g. 'ml_lead'"]
    if decision not in _DECISIONS:
        mistakes.append(f"decision is {shown(decision)}, expected {' or '.join(_DECISIONS)}")
    if digest is not None and not isinstance(digest, str):
        mistakes.append(f"digest is {shown(digest)}, expected that of the report, as GET shows it")
    if mistakes:
        raise BadRequest("Nothing was signed.", f"{'; '.join(mistakes)}.", "Send role, reason and decision.")
    return {"role": role, "answer": decision, "digest": digest}


def _model(request: Request) -> str:
    model: str = request.path_params["model"]
    return model
