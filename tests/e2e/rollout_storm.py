"""A model whose challengers take the stage one after the other, callers, approvers, and a hand that kills."""

import contextlib
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import psutil
import yaml
from e2e_commands import Place
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io import dump

from flows.config.load import load_config
from flows.training.pipeline import propose
from flows.training.publish import register
from registry.artifacts import ArtifactStore
from registry.errors import Refusal
from registry.home import Settings
from registry.records.plan import TrafficPlan
from registry.records.rollout import Rollout
from registry.store.registry import Registry

MODEL = "storm"
PEOPLE = {"ml_lead": "ann", "business_owner": "bob"}
CONFIG = {
    "model": MODEL,
    "task": "binary",
    "target": "y",
    "features": {"numeric": ["a", "b"]},
    "data": {"key": "who", "time": "at"},
    "promotion": {"metric": "brier", "rule": "non_inferiority", "margin": 0.9, "min_labelled": 10, "guardrails": []},
    "validation": {"enabled": False},
    "tracking": {"enabled": False},
    "rollout": {
        "steps": [
            {"share": 0, "min": "6s", "max": "12s", "min_labelled": 1, "on_timeout": "advance"},
            {"share": 0.1, "min": "6s", "max": "12s", "min_labelled": 1, "on_timeout": "advance"},
            {"share": 0.5, "min": "6s", "max": "12s", "min_labelled": 1, "on_timeout": "advance"},
            {"share": 1, "min": "3s", "max": "6s", "min_labelled": 0, "on_timeout": "advance"},
        ]
    },
    "watch": {"duration": "30s"},
}


def rows(count: int, seed: int) -> pl.DataFrame:
    """Two numbers, and a label that depends on their sum."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, count))
    y = (a + b + rng.normal(size=count) > 0).astype(int)
    return pl.DataFrame({"who": [f"k{i}" for i in range(count)], "at": [datetime.now(UTC)] * count}).with_columns(
        a=pl.Series(a), b=pl.Series(b), y=pl.Series(y)
    )


def publish_versions(place: Place, settings: Settings, folder: Path, count: int, urls: list[str]) -> None:
    """Register the model and *count* versions as good as each other; the first is the champion, and *urls* are told."""
    file = folder / f"{MODEL}.yaml"
    file.write_text(yaml.safe_dump(CONFIG | {"notify": {"urls": urls}}))
    done = place.run("init", str(file), seconds=120)
    assert done.returncode == 0, done.stderr
    config, holdout, table = load_config(file), rows(400, seed=0), rows(300, seed=1)
    with Registry.open(settings.registry_url) as registry:
        for number in range(count):
            made = make_pipeline(
                ColumnTransformer([("number", StandardScaler(), ["a", "b"])]), LogisticRegression(C=1 + number / 10)
            ).fit(table.select("a", "b"), table["y"].to_numpy())
            dump(made, folder / "made.skops")
            proposal = propose(
                config, folder / "made.skops", holdout, registry, actor="test", reason="storm", at=datetime.now(UTC)
            )
            register(proposal, registry, ArtifactStore(settings.models_dir))


class Caller(threading.Thread):
    """
    Asks for predictions, and labels them; of a bad challenger's answers the label is always the other one.

    Attributes:
        wrong: Answers that the plan whose epoch they name would not have given.
        bad: The challenger whose answers are to be wrong; None for nobody's.
    """

    def __init__(self, settings: Settings, registry: Registry, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.settings, self.registry, self.stop = settings, registry, stop
        self.plans: dict[int, TrafficPlan] = {}
        self.wrong: list[Any] = []
        self.statuses: Counter[str] = Counter()
        self.bad: str | None = None

    def run(self) -> None:
        dice = random.Random(1)
        with httpx.Client(base_url=self.settings.router_url, timeout=5, trust_env=False) as http:
            while not self.stop.wait(0.03):
                try:
                    self._once(http, dice)
                except (httpx.HTTPError, Refusal) as error:
                    self.statuses[type(error).__name__] += 1

    def _once(self, http: httpx.Client, dice: random.Random) -> None:
        keys = [f"k{dice.randrange(100_000)}" for _ in range(4)]
        asked = [{"key": key, "features": {"a": dice.gauss(0, 1), "b": dice.gauss(0, 1)}} for key in keys]
        answer = http.post(f"/v1/models/{MODEL}/predict", json={"rows": asked})
        self.statuses[str(answer.status_code)] += 1
        if answer.status_code != 200:
            return
        given = answer.json()["rows"] if "rows" in answer.json() else answer.json()["predictions"]
        for key, one in zip(keys, given, strict=True):
            plan = self._plan(one["epoch"])
            if plan is None or plan.assign(key).variant != one["assigned"]:
                self.wrong.append((key, one))
        labels = [self._label(row, one) for row, one in zip(asked, given, strict=True)]
        http.post(f"/v1/models/{MODEL}/outcomes", json=labels)

    def _label(self, row: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
        true = int(row["features"]["a"] + row["features"]["b"] > 0)
        turned = one["assigned"] == "challenger" and one["model_version"] == self.bad
        return {"prediction_id": one["prediction_id"], "metric": "label", "value": 1 - true if turned else true}

    def _plan(self, epoch: int) -> TrafficPlan | None:
        if epoch not in self.plans:
            self.plans |= {plan.epoch: plan for plan in self.registry.plans(MODEL, limit=50)}
        return self.plans.get(epoch)


class Watcher(threading.Thread):
    """
    Reads the registry again and again.

    Attributes:
        unlawful: What must never be seen.
        blind: Looks that the registry refused.
    """

    def __init__(self, registry: Registry, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.registry, self.stop = registry, stop
        self.unlawful: list[str] = []
        self.looks, self.epoch = 0, 0
        self.blind: Counter[str] = Counter()

    def run(self) -> None:
        while not self.stop.wait(0.05):
            try:
                self.look()
            except Refusal as refusal:
                self.blind[type(refusal).__name__] += 1

    def look(self) -> None:
        """One look; what is read in several transactions is only complained of if it stays."""
        production = [one.version for one in self.registry.versions(MODEL) if one.stage == "production"]
        if len(production) != 1:
            self.unlawful.append(f"in production: {production}")
        before = self.registry.rollouts(MODEL)[:1]
        plan = self.registry.plan(MODEL)
        after = self.registry.rollouts(MODEL)[:1]
        self.looks += 1
        if plan is None or [one.revision for one in before] != [one.revision for one in after]:
            return
        if plan.epoch < self.epoch:
            self.unlawful.append(f"epoch {plan.epoch} after {self.epoch}")
        self.epoch = plan.epoch
        weight, allowed = plan.weight_of("challenger"), committed(after[0] if after else None)
        if weight > allowed:
            self.unlawful.append(f"weight {weight} above {allowed} in plan {plan.epoch}: {after[0].said}")


def committed(rollout: Rollout | None) -> int:
    """Parts per million that a challenger may have."""
    if rollout is None or not rollout.active or rollout.step < 0:
        return 0
    return rollout.steps[rollout.step].share if rollout.weight is None else rollout.weight


FLOWS = (("prefect.flow_engine",), ("flow-run", "execute"), ("prefect.engine",))
VICTIMS = {
    "worker": (("prefect", "worker"),),
    "flow": FLOWS,
    "worker and flow": (("prefect", "worker"), *FLOWS),
    "server": (("prefect", "server"),),
    "router": (("router.serve",),),
    "control": (("router.control",),),
}
FLOW_TAKES_S = 8
SLOW = ("server", "everything", "system")


class Storm:
    """
    Kills with SIGKILL.

    Attributes:
        counts: Kills by what was killed; such that found nobody are not counted.
        failed_ups: What `understudy up` said where it did not succeed.
    """

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.dice = place, random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.failed_ups: list[str] = []

    def plan(self, kills: int) -> list[str]:
        """What is killed, in order; at least one of each where there are enough."""
        shares = {
            "worker": 0.2, "flow": 0.15, "worker and flow": 0.1, "server": 0.12, "router": 0.25, "control": 0.06,
            "everything": 0.08, "system": 0.04,
        }  # fmt: skip
        found = [name for name, share in shares.items() for _ in range(max(1, round(share * kills)))]
        self.dice.shuffle(found)
        return found[:kills]

    def kill(self, victim: str, patience_s: float = 10) -> None:
        """Kill it as soon as it is there; the whole system is brought up again by hand, as its documentation says."""
        until, killed = time.monotonic() + patience_s, 0
        if "flow" in victim:
            self._await_a_flow(patience_s)
        while not killed and time.monotonic() < until:
            killed = self._kill(victim)
            time.sleep(0.0 if killed else 0.2)
        self.counts[victim] += killed > 0
        if victim == "system":
            self._bring_up()

    def _await_a_flow(self, patience_s: float) -> None:
        """Then let it come as far as chance has it."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if any(self.place.processes(*words) for words in FLOWS):
                time.sleep(self.dice.uniform(0, FLOW_TAKES_S))
                return
            time.sleep(0.2)

    def _kill(self, victim: str) -> int:
        if victim in VICTIMS:
            return sum(self.place.kill(*words) for words in VICTIMS[victim])
        return self._kill_all(supervisor=victim == "system")

    def _bring_up(self) -> None:
        """The one thing that people do by hand; a machine under load may need a second try."""
        for _ in range(3):
            done = self.place.run("up", seconds=400)
            if done.returncode == 0:
                return
            self.failed_ups.append(done.stderr[-400:])
        raise AssertionError(self.failed_ups)

    def _kill_all(self, *, supervisor: bool) -> int:
        found = [one for one in self.place.processes() if "circus" not in " ".join(_line(one))]
        guards = [one for one in self.place.processes() if "circus" in " ".join(_line(one))] if supervisor else []
        found = [one for one in found if "flows.cli.main" not in " ".join(_line(one))]
        for one in [*guards, *found]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        return len(found) + len(guards)

    def rest(self, victim: str, mean_s: float) -> None:
        """Wait at random, mostly short and sometimes long; after what takes long to come back, until it has."""
        if victim in SLOW:
            self._until_the_server_answers()
        time.sleep(min(self.dice.expovariate(1 / mean_s), 6 * mean_s))

    def _until_the_server_answers(self) -> None:
        """Else nothing would ever move, and there would be nothing to kill."""
        health, until = (
            f"http://127.0.0.1:{self.place.env['UNDERSTUDY_PREFECT_PORT']}/api/health",
            time.monotonic() + 120,
        )
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(health, timeout=2, trust_env=False).status_code == 200:
                    return
            time.sleep(0.5)


def _line(process: Any) -> list[str]:
    try:
        line: list[str] = process.cmdline()
    except Exception:  # noqa: BLE001  it has ended
        return []
    return line
