"""Who begins rollouts and signs them in a storm: by command line, by deployment, by form."""

import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx
from e2e_commands import Place
from rollout_storm import MODEL, PEOPLE, Caller
from waiting import until

from registry.errors import Refusal
from registry.home import Settings
from registry.records.rollout import Rollout
from registry.store.registry import Registry

PACE_S = {
    "rollout/rollout-every-5-minutes": 45,
    "watch/watch-every-10-minutes": 120,
    "recover/recover-every-10-minutes": 120,
}
FORM_PATIENCE_S = 120
BEGIN_PATIENCE_S = 90
WHY = "read the report"


class Server:
    """The Prefect server, as its pages use it."""

    def __init__(self, settings: Settings) -> None:
        self._http = httpx.Client(base_url=settings.prefect_api_url, timeout=20, trust_env=False)

    def close(self) -> None:
        """Let go of its connections."""
        self._http.close()

    def get(self, path: str) -> Any:
        """Raises httpx.HTTPError."""
        return self._http.get(path).raise_for_status().json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Raises httpx.HTTPError."""
        return self._http.post(path, json=body).raise_for_status().json()

    def runs(self, *types: str) -> list[dict[str, Any]]:
        """Runs in states of these types, of any deployment."""
        found, offset = [], 0
        while page := self.post(
            "/flow_runs/filter",
            {"flow_runs": {"state": {"type": {"any_": list(types)}}}, "limit": 200, "offset": offset},
        ):
            found += page
            offset += len(page)
        return found

    def hasten(self) -> None:
        """Give looks a schedule of seconds; the one of minutes stays beside it."""
        for name, seconds in PACE_S.items():
            found = self.get(f"/deployments/name/{name}")
            if any("interval" in one["schedule"] for one in found["schedules"]):
                continue
            path = f"/deployments/{found['id']}/schedules"
            wanted = [{"active": True, "schedule": {"interval": seconds}}]
            until(lambda path=path, wanted=wanted: self._http.post(path, json=wanted).is_success, 120)


class Manager(threading.Thread):
    """
    Begins a rollout whenever none is active, and has both people sign whenever they are asked.

    Every other rollout is begun and signed on the Prefect server; if no form comes, people sign without it.

    Attributes:
        signed: What the registry acknowledged: rollout, role, person and what it was bound to.
        answered: What the server acknowledged: rollout, role and person.
        begun: Challengers, in order; the first one is bad, and every third one after it.
    """

    def __init__(
        self, place: Place, settings: Settings, registry: Registry, caller: Caller, stop: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self.place, self.server, self.registry, self.caller = place, Server(settings), registry, caller
        self.stop = stop
        self.signed: list[tuple[str, str, str, str]] = []
        self.answered: list[tuple[str, str, str]] = []
        self.begun: list[str] = []
        self.refused: Counter[str] = Counter()
        self.begin_more = True

    def run(self) -> None:
        while not self.stop.wait(0.5):
            try:
                active = self.registry.active_rollout(MODEL)
                if active is None and self.begin_more:
                    self._begin()
                elif active is not None and active.status == "waiting_approval" and active.waiting is not None:
                    self._sign(active)
            except (Refusal, httpx.HTTPError) as refusal:
                self.refused[type(refusal).__name__] += 1

    def _begin(self) -> None:
        fresh = [one.version for one in self.registry.versions(MODEL) if one.stage == "staging"]
        if not fresh:
            self.refused["nobody left to begin with"] += 1
            return
        challenger = min(fresh, key=lambda text: tuple(map(int, text[1:].split("."))))
        number = len(self.begun) + (challenger not in self.begun)
        self.caller.bad = challenger if number % 3 == 1 else None
        begin = self._by_deployment if number % 2 == 0 else self._by_command
        if begin(challenger) and challenger not in self.begun:
            self.begun.append(challenger)

    def _by_command(self, challenger: str) -> bool:
        done = self.place.run("rollout", "start", MODEL, challenger, "--reason", "storm", "--actor", "eve", seconds=300)
        if done.returncode:
            self.refused[done.stderr.strip()[:200]] += 1
        return done.returncode == 0

    def _by_deployment(self, challenger: str) -> bool:
        """A run that is killed before it began the rollout is asked for again, as a person would."""
        deployment = self.server.get("/deployments/name/promote/promote-on-demand")["id"]
        given = {"model": MODEL, "version": challenger, "actor": "eve", "reason": "storm"}
        run = self.server.post(f"/deployments/{deployment}/create_flow_run", {"parameters": given})
        until = time.monotonic() + BEGIN_PATIENCE_S
        while time.monotonic() < until and not self.stop.wait(0.5):
            newest = self.registry.rollouts(MODEL)[:1]
            if newest and newest[0].challenger == challenger:
                return True
            if self.server.get(f"/flow_runs/{run['id']}")["state_type"] in ("CRASHED", "FAILED", "CANCELLED"):
                return False
        return False

    def _sign(self, active: Rollout) -> None:
        missing = self.registry.gate(active.id).missing
        waited = (datetime.now(UTC) - active.waiting.since).total_seconds() if active.waiting else 0.0
        if int(active.id[2:]) % 2 == 0 and waited < FORM_PATIENCE_S:
            self._in_the_form(active, missing[:1])
            return
        bound = active.waiting.bound_to if active.waiting else ""
        for role in missing:
            self.registry.sign(
                active.id,
                actor=PEOPLE[role],
                role=role,
                reason=WHY,
                digest=bound,
                at=datetime.now(UTC),
                via="command line",
            )
            self.signed.append((active.id, role, PEOPLE[role], bound))

    def _in_the_form(self, active: Rollout, missing: tuple[str, ...]) -> None:
        asleep = [run for run in self.server.runs("PAUSED") if f"rollout:{active.id}" in run["tags"]]
        for run, role in zip(asleep, missing, strict=False):
            given = {"name": PEOPLE[role], "role": role, "decision": "yes", "reason": WHY}
            said = self.server.post(f"/flow_runs/{run['id']}/resume", {"run_input": given})
            if said["status"] == "ACCEPT":
                self.answered.append((active.id, role, PEOPLE[role]))
            else:
                self.refused[f"form: {said['details']}"[:120]] += 1
