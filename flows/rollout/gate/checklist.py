"""The checklist of a deployment: eleven points, each with its evidence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from registry.assignment import TOTAL
from registry.records.gate import GateState
from registry.records.rollout import Rollout
from registry.records.verdict import Decision, Finding
from registry.records.version import ModelVersion

PARITY = 1e-6


class Point(NamedTuple):
    """
    One point of the checklist.

    Attributes:
        done: None where it is not known.
        evidence: What was found, with the numbers.
    """

    name: str
    done: bool | None
    evidence: str

    @property
    def answer(self) -> str:
        """For people."""
        return {True: "yes", False: "no", None: "not known"}[self.done]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    What registry, configuration and the machine know of a challenger.

    Attributes:
        decision: What speaks for it; None if a person's wish does.
        checks: How many checks its validation had, and how many it passed; None if it was never validated.
        validated: Whether it passed; None if it was never asked.
        quarantined: Rows that were set aside before it was trained; None if nobody looked.
        contract: What the configuration does with rows that break the data contract.
        addresses: How many addresses are told of trouble.
        monitor: Whether the deployment that looks for drift is active; None if the server does not answer.
    """

    rollout: Rollout
    version: ModelVersion
    state: GateState
    decision: Decision | None = None
    checks: tuple[int, int] | None = None
    validated: bool | None = None
    quarantined: int | None = None
    contract: str = "off"
    addresses: int = 0
    monitor: bool | None = None


def checklist(facts: Facts) -> tuple[Point, ...]:
    """Fill in all eleven points, in the order of the requirements; nothing that is not known counts as done."""
    return tuple(Point(name, *look(facts)) for name, look in _POINTS.items())


def _data(facts: Facts) -> tuple[bool | None, str]:
    data = facts.version.data
    until = f" until {data.end:%Y-%m-%d %H:%M}" if data.end else ""
    said = f"{data.rows:,} rows{until}, {data.new_rows:,} of them new"
    if facts.contract == "off":
        return None, f"{said}; no contract is asked for (data.contract: off)"
    if facts.quarantined is None:
        return None, f"{said}; no check against the data contract is on record"
    return data.rows > 0, f"{said}; contract checked, {facts.quarantined:,} rows quarantined"


def _preprocessing(facts: Facts) -> tuple[bool | None, str]:
    version = facts.version
    how = {"compiled": "machine code", "native": "a native library", "original": "the fitted pipeline itself"}
    said = f"scored by {how[version.serving]}; parity {version.parity:.1g} to the fitted pipeline"
    return version.parity <= PARITY, said


def _full(facts: Facts) -> tuple[bool | None, str]:
    data, refit = facts.version.data, facts.version.params.get("refit")
    if refit is None:
        return None, f"{data.rows:,} rows; how it was fitted is not on record"
    said = "fitted again on all of them, holdout included" if refit else "the holdout was left out (training.refit)"
    return bool(refit), f"{data.rows:,} rows; {said}"


def _metrics(facts: Facts) -> tuple[bool | None, str]:
    metrics = facts.version.metrics
    return bool(metrics), _numbers(metrics) or "no metric is on record"


def _baseline(facts: Facts) -> tuple[bool | None, str]:
    if facts.decision is not None:
        return True, f"{facts.decision.id} compared it with {facts.decision.champion}: {facts.decision.headline}"
    baseline = facts.version.baseline_metrics
    return bool(baseline), f"champion {_numbers(baseline)}" if baseline else "it was never compared with the champion"


def _performance(facts: Facts) -> tuple[bool | None, str]:
    decision = facts.decision
    if decision is None:
        return None, "no decision speaks for it; a person wants it"
    said = "; ".join(interval(one) for one in decision.findings if one.role in ("primary", "goal"))
    verdict = {"promote": True, "needs_approval": None, "continue": None, "reject": False, "invalid": False}
    return verdict[decision.outcome], f"verdict {decision.outcome.replace('_', ' ')}" + (f"; {said}" if said else "")


def _tests(facts: Facts) -> tuple[bool | None, str]:
    if facts.validated is None or facts.checks is None:
        return None, "it was never validated in a router of its own"
    passed, all_of_them = facts.checks
    return facts.validated, f"validation of {facts.version.version}: {passed} of {all_of_them} checks passed"


def _registered(facts: Facts) -> tuple[bool | None, str]:
    version = facts.version
    tracked = f", run {version.experiment}" if version.experiment else ""
    kept = version.artifact_deleted_at is None
    said = f"{version.version} in {version.stage}, artifact {version.artifact_digest[:12]}{tracked}"
    return kept, said if kept else f"{said}; its artifact was deleted"


def _approved(facts: Facts) -> tuple[bool | None, str]:
    state = facts.state
    if not facts.rollout.policy.require_approval and facts.rollout.waiting is None and not state.signed:
        return True, "nobody is asked (promotion.require_approval: false)"
    signed = ", ".join(f"{one.actor} as {one.role}" for one in state.signed)
    missing = f"missing: {', '.join(state.missing)}" if state.missing else ""
    return state.complete, "; ".join(part for part in (signed, missing) if part) or "another person must sign"


def _canary(facts: Facts) -> tuple[bool | None, str]:
    steps = facts.rollout.steps
    shares = " -> ".join("shadow" if s.share == 0 else f"{s.share / TOTAL * 100:g} %" for s in steps)
    careful = any(step.share < TOTAL for step in steps)
    return careful, f"strategy {facts.rollout.strategy}: {shares}"


def _alerts(facts: Facts) -> tuple[bool | None, str]:
    addresses = "1 address" if facts.addresses == 1 else f"{facts.addresses} addresses"
    state = {True: "active", False: "not active", None: "not known"}[facts.monitor]
    said = f"{addresses} (notify.urls), monitor deployment {state}"
    if not facts.addresses or facts.monitor is False:
        return False, said
    return facts.monitor, said


_POINTS: Mapping[str, Callable[[Facts], tuple[bool | None, str]]] = {
    "New data collected and validated": _data,
    "Preprocessing consistent with production": _preprocessing,
    "Trained on the full data set": _full,
    "Metrics calculated": _metrics,
    "Compared with the baseline": _baseline,
    "Performance acceptable": _performance,
    "Tests pass": _tests,
    "Versioned and registered": _registered,
    "Deployment approved": _approved,
    "Canary in place": _canary,
    "Monitoring alerts configured": _alerts,
}


def interval(finding: Finding) -> str:
    """One finding with its interval.

    Example:
        >>> interval(Finding(name="auc", passed=True, said="", estimate=0.02, low=0.01, high=0.03))
        'auc +0.02 [+0.01, +0.03]'
    """
    if finding.estimate is None:
        return f"{finding.name}: {finding.said}"
    around = "" if finding.low is None or finding.high is None else f" [{finding.low:+.4g}, {finding.high:+.4g}]"
    return f"{finding.name} {finding.estimate:+.4g}{around}"


def _numbers(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(values.items())[:6])
