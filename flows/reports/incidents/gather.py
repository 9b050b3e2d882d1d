"""Read what registry and router know of an incident."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Protocol

from flows.client import RouterClient
from flows.reports.incidents.guarded import guarded
from flows.reports.incidents.limits import judge
from flows.reports.incidents.story import Exposure, Happening, Story, Test
from registry.assignment import TOTAL
from registry.errors import NotFound, Refusal
from registry.home import Settings
from registry.records.audit import AuditEntry
from registry.records.incident import Incident
from registry.records.live import ModelMetrics, ShadowMetrics, VariantMetrics
from registry.records.notice import Notice
from registry.records.plan import TrafficPlan
from registry.records.watch import Watch
from registry.store.registry import Registry

MOST_LINES = 60
_QUIET = ("notes.told", "rollout.announced", "experiment.tracked", "look.")
_TOLD = ("rolled_back", "stopped", "champion_failing", "srm")
"""Notes of the router whose words are its own; others may repeat the text of an exception."""


class Sources(Protocol):
    """Where it is read from."""

    @property
    def settings(self) -> Settings:
        """Of the state folder."""

    @property
    def registry(self) -> Registry:
        """Owns incidents."""

    @property
    def client(self) -> RouterClient:
        """Has the counts."""


def gather(desk: Sources, incident: Incident) -> Story:
    """
    Collect everything; a router that does not answer leaves its counts out, and says so.

    Raises:
        StoreUnavailable: If the registry does not answer.
    """
    registry, model = desk.registry, incident.model
    plans = [plan for plan in reversed(registry.plans(model, limit=None)) if plan.epoch <= incident.epoch]
    metrics, unseen = _metrics(desk, model)
    exposures = tuple(_exposures(incident, plans, metrics))
    answering = tuple(one for one in exposures if one.share) or exposures
    watch = _watch_of(registry.watches(model), incident)
    since = min((one.began for one in exposures), default=incident.at)
    return Story(
        incident=incident,
        watch=watch,
        exposures=answering,
        timeline=_timeline(desk, incident, since),
        tests=tuple(_tests(incident, watch, plans, metrics)),
        versions=tuple(registry.version(model, one) for one in dict.fromkeys((incident.version, incident.restored))),
        plans=tuple((plan.epoch, plan.digest()) for plan in plans[-2:]),
        told=tuple(one for one in registry.notices(model) if _is_about(one, incident)),
        decision=_decision(registry, incident, watch),
        unseen=unseen,
    )


def _tests(
    incident: Incident, watch: Watch | None, plans: Sequence[TrafficPlan], metrics: ModelMetrics | None
) -> list[Test]:
    last = next((plan for plan in reversed(plans) if _takes_part(plan, incident.version)), None)
    return tests_of(incident.facts) or _judged_anew(watch, metrics) or guarded(incident, last, metrics)


def tests_of(facts: Mapping[str, Any]) -> list[Test]:
    """What was tested, as the facts of the incident keep it; nothing where only a sentence was kept."""
    return [_test(figure) for figure in facts.get("figures", ())]


def _judged_anew(watch: Watch | None, metrics: ModelMetrics | None) -> list[Test]:
    """Where the router acted on its own counts: the same limits, on the log of all requests."""
    if watch is None or metrics is None:
        return []
    return [_test(asdict(figure)) for figure in judge(watch, metrics)]


def _test(figure: Mapping[str, Any]) -> Test:
    verdicts = {True: "broken", False: "kept", None: "too little data"}
    numbers = {name: _number(figure.get(name)) for name in ("estimate", "low", "high", "limit")}
    return Test(
        name=str(figure.get("name", "")),
        verdict=verdicts[figure.get("broken")],
        n=int(figure.get("n") or 0),
        said=str(figure.get("said", "")),
        **numbers,
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _metrics(desk: Sources, model: str) -> tuple[ModelMetrics | None, str]:
    try:
        return desk.client.metrics(model), ""
    except Refusal as error:
        return None, error.what


def _watch_of(watches: Sequence[Watch], incident: Incident) -> Watch | None:
    mine = [one for one in watches if one.version == incident.version and one.status == "rolled_back"]
    return mine[0] if mine and incident.kind == "watch" else None


def _decision(registry: Registry, incident: Incident, watch: Watch | None) -> str | None:
    rollout = incident.rollout_id or (watch.rollout_id if watch else None)
    if rollout is None:
        return None
    try:
        return registry.rollout(rollout).decision_id
    except NotFound:
        return None


def _exposures(incident: Incident, plans: Sequence[TrafficPlan], metrics: ModelMetrics | None) -> Iterator[Exposure]:
    """One for each phase in which the version took part since it last had no part, oldest first."""
    found: list[tuple[TrafficPlan, datetime]] = []
    for plan, following in pairwise(plans):
        if _takes_part(plan, incident.version):
            found.append((plan, following.created_at))
        else:
            found = []
    for phase in dict.fromkeys(plan.phase for plan, _ in found):
        mine = [(plan, ended) for plan, ended in found if plan.phase == phase]
        share = max(_share(plan, incident.version) for plan, _ in mine)
        seen = _seen(metrics, phase, incident.version)
        yield Exposure(phase=phase, began=mine[0][0].created_at, ended=mine[-1][1], share=share, **_counts(seen))


def _takes_part(plan: TrafficPlan, version: str) -> bool:
    return version in plan.shadows or any(arm.version == version for arm in plan.arms)


def _share(plan: TrafficPlan, version: str) -> int:
    return sum(plan.weight_of(arm.variant) for arm in plan.arms if arm.version == version)


def _seen(metrics: ModelMetrics | None, phase: str, version: str) -> VariantMetrics | ShadowMetrics | None:
    for one in metrics.phases if metrics else ():
        if one.phase == phase:
            arms = [variant for variant in one.variants.values() if variant.version == version]
            return arms[0] if arms else one.shadows.get(version)
    return None


def _counts(seen: VariantMetrics | ShadowMetrics | None) -> dict[str, Any]:
    if seen is None:
        return {}
    if isinstance(seen, ShadowMetrics):
        failed = {**seen.errors}
        return {"answered": seen.scored, "failed": sum(failed.values()), "reasons": _most(failed)}
    failed = {name: seen.errors.get(name, 0) + seen.fallbacks.get(name, 0) for name in (*seen.errors, *seen.fallbacks)}
    return {
        "answered": seen.served,
        "failed": sum(failed.values()),
        "by_champion": sum(seen.fallbacks.values()),
        "keys": seen.keys,
        "latency_ms": seen.latency_ms.mean if seen.latency_ms.n else None,
        "loss": seen.loss.mean if seen.loss.n else None,
        "reasons": _most(failed),
    }


def _most(failed: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(failed.items(), key=lambda one: (-one[1], one[0]))[:10])


def _timeline(desk: Sources, incident: Incident, since: datetime) -> tuple[Happening, ...]:
    trail = reversed(desk.registry.audit(incident.model))
    entries = [_happening(entry) for entry in trail if _tells(entry, incident, since)]
    lines = sorted([*entries, *_notes(desk, incident, since)], key=lambda one: one.at)
    return tuple(lines[-MOST_LINES:])


def _tells(entry: AuditEntry, incident: Incident, since: datetime) -> bool:
    return since <= entry.at <= incident.at and not entry.action.startswith(_QUIET)


def _happening(entry: AuditEntry) -> Happening:
    what = f"{entry.action.replace('.', ' ').replace('_', ' ')}: {entry.subject}{_change(entry)}"
    return Happening(at=entry.at, who=entry.actor, what=what, why=entry.reason)


def _change(entry: AuditEntry) -> str:
    """Stages of a version, or who answers by a plan."""
    if entry.action == "version.moved":
        return f" ({entry.before.get('stage')} to {entry.after.get('stage')})"
    if entry.action == "plan.published":
        arms, weights = entry.after.get("arms", {}), entry.after.get("weights", {})
        shares = [f"{arms[variant]} {weights.get(variant, 0) / TOTAL:.4g}" for variant in arms]
        return f" ({', '.join(shares)})"
    return ""


def _notes(desk: Sources, incident: Incident, since: datetime) -> Iterator[Happening]:
    try:
        notes = desk.client.events(incident.model, limit=100)
    except Refusal:
        return
    for note in notes:
        at = datetime.fromtimestamp(note["at"], UTC)
        if note["kind"] in _TOLD and since <= at <= incident.at:
            said = str(note["said"]).partition("; not in the registry yet")[0]
            yield Happening(at=at, who="router", what=f"noted: {note['kind'].replace('_', ' ')}", why=said)


def _is_about(notice: Notice, incident: Incident) -> bool:
    named = notice.key.endswith((f":rolled_back:{incident.epoch}", f":roll_back:{incident.epoch}"))
    return notice.kind.endswith("rolled_back") and (named or incident.id in notice.body)
