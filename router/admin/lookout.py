"""What people want to know early: callers that are not split as planned, and how a shadow differs."""

import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from registry.errors import Refusal
from registry.records.live import PhaseMetrics, ShadowMetrics
from registry.records.plan import TrafficPlan
from router.keeper import Keeper

log = logging.getLogger("understudy.control")
LOOK_S = 30.0
SRM_ALPHA = 0.001
_CONCENTRATION = 100.0
_MANY = 10_000  # notes that are searched for one that was told before


class Finding(NamedTuple):
    """
    Something to note.

    Attributes:
        about: Begins the note; what was told once about it is not told again.
        said: The figures.
    """

    kind: str
    about: str
    said: str


class Lookout:
    """
    Looks at all models with an experiment now and then, and leaves notes.

    Args:
        keeper: Has the counts, and keeps the notes.
        troubles: Why a router is degraded, by model or by part; None if none answers.
    """

    def __init__(self, keeper: Keeper, troubles: Callable[[], Mapping[str, str] | None] = dict) -> None:
        self._keeper, self._troubles = keeper, troubles
        self._known: dict[str, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; nothing that goes wrong here ends it."""
        while not stop.wait(LOOK_S):
            try:
                models = self._keeper.registry().models()
                self.look_at_router(models)
                for model in models:
                    self.look(model)
            except Refusal as error:
                log.debug("nothing was looked at: %s", error)
            except Exception:
                log.exception("the lookout stumbled; trying again")

    def look_at_router(self, models: Sequence[str]) -> None:
        """Note what began to trouble it, and what no longer does; a part's trouble is every model's."""
        found = self._troubles()
        now = {"router": "no worker answers"} if found is None else dict(found)
        for part in sorted({*now, *self._known}):
            if now.get(part) != self._known.get(part):
                kind, said = ("degraded", now[part]) if part in now else ("recovered", self._known[part])
                for model in [part] if part in models else models:
                    self._keeper.note(model, kind, f"{part}: {said}")
        self._known = now

    def look(self, model: str) -> list[Finding]:
        """Note what is new about *model*; returns it."""
        plan = self._keeper.plan(model)
        if not plan.challengers and not plan.shadows:
            return []
        phases = [phase for phase in self._keeper.metrics(model).phases if phase.phase == plan.phase]
        known = [note["said"] for note in self._keeper.notes(model, _MANY)]
        found = [one for phase in phases for one in findings(phase, plan)]
        new = [one for one in found if not any(said.startswith(one.about) for said in known)]
        for one in new:
            self._keeper.note(model, one.kind, f"{one.about} {one.said}")
        return new


def findings(phase: PhaseMetrics, plan: TrafficPlan) -> Iterator[Finding]:
    """What is worth telling of the newest phase."""
    weights = {arm.variant: plan.weight_of(arm.variant) for arm in plan.arms}
    keys = {name: variant.keys for name, variant in phase.variants.items() if name in weights}
    if len(weights) > 1 and log_split_evidence(keys, weights) >= -math.log(SRM_ALPHA):
        yield Finding("srm", f"{phase.phase}: callers are not split as planned:", _split(keys, weights))
    for version, shadow in phase.shadows.items():
        if shadow.scored >= 100:
            copies = 10 ** int(math.log10(shadow.scored))
            about = f"{phase.phase}: {version} as a shadow, after {copies:,} copies:"
            yield Finding("shadow_diff", about, _difference(shadow))


def log_split_evidence(counts: Mapping[str, int], weights: Mapping[str, int]) -> float:
    """
    Log e-value against "keys are dealt by these weights".

    Valid however often it is looked at: under the weights it exceeds log(1/alpha) at any time with
    probability at most alpha.

    Args:
        counts: Distinct keys per variant; one that is missing has none.
        weights: Shares in any unit; one of weight 0 may have no keys.

    Source:
        Lindon, Malek (2022), Anytime-valid inference for multinomial count data: the Bayes factor
        of a Dirichlet prior around the weights, here of total concentration 100.

    Example:
        >>> f"{log_split_evidence({'a': 5000, 'b': 5000}, {'a': 1, 'b': 1}):.2f}"
        '-2.31'
        >>> f"{log_split_evidence({'a': 5300, 'b': 4700}, {'a': 1, 'b': 1}):.2f}"
        '15.52'
    """
    total, n = sum(weights.values()), sum(counts.values())
    if any(counts.get(name, 0) for name, weight in weights.items() if weight == 0):
        return math.inf
    evidence = math.lgamma(_CONCENTRATION) - math.lgamma(_CONCENTRATION + n)
    for name, weight in weights.items():
        if weight:
            share, seen = weight / total, counts.get(name, 0)
            prior = _CONCENTRATION * share
            evidence += math.lgamma(prior + seen) - math.lgamma(prior) - seen * math.log(share)
    return evidence


def _split(keys: Mapping[str, int], weights: Mapping[str, int]) -> str:
    total, n = sum(weights.values()), sum(keys.values())
    parts = [
        f"{name} {keys.get(name, 0):,} keys, {weight / total * n:,.0f} expected" for name, weight in weights.items()
    ]
    return f"{'; '.join(parts)} (p < {SRM_ALPHA}, however often one looks). Nothing can be concluded of this phase."


def _difference(shadow: ShadowMetrics) -> str:
    difference = shadow.difference
    spread = math.sqrt(difference.variance) if difference.n > 1 else math.nan
    lost = sum(shadow.dropped.values()) + sum(shadow.errors.values())
    return (
        f"{shadow.flips / shadow.scored:.2%} of another class than the champion's, "
        f"score {difference.mean:+.4g} on average (sd {spread:.4g}, PSI {shadow.psi or 0.0:.3g}), "
        f"{shadow.latency_ms.mean:.3g} ms each; "
        f"{shadow.scored:,} of {shadow.copies:,} copies scored, {lost:,} dropped or failed."
    )
