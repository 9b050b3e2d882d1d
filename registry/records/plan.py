"""Who answers callers, who only watches, and when a challenger is taken off."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from math import inf
from typing import Literal

from msgspec import UNSET, UnsetType

from registry.assignment import TOTAL, Assignment, Dealer
from registry.errors import InvalidRecord
from registry.records.base import Record, name_mistakes, salt_mistakes, version_mistakes
from registry.records.watch import PlanWatch

CHAMPION = "champion"


class Slice(Record, frozen=True, kw_only=True):
    """A stretch of buckets; one variant may own several."""

    variant: str
    weight: int


class Arm(Record, frozen=True, kw_only=True):
    """Which model version stands behind a variant."""

    variant: str
    version: str


class Layer(Record, frozen=True, kw_only=True):
    """
    A stretch of the keys that models share, so that no key is in two experiments at once.

    A key's place in the layer, 1 to 1,000,000, depends on the layer's name and the key alone.

    Attributes:
        name: Models that name the same layer exclude each other.
        first, last: The places whose keys take part, both included.
    """

    name: str
    first: int
    last: int

    def mistakes(self) -> list[str]:
        """Say why it cannot be a layer, or nothing."""
        mistakes = name_mistakes("layer", self.name)
        if not 1 <= self.first <= self.last <= TOTAL:
            mistakes.append(f"places {self.first} to {self.last} of layer {self.name} are not within 1 to {TOTAL}")
        return mistakes

    def overlaps(self, other: "Layer") -> bool:
        """Whether a key may stand in both."""
        return self.name == other.name and self.first <= other.last and other.first <= self.last


class Guards(Record, frozen=True, kw_only=True):
    """
    When a challenger is taken off without asking anybody.

    Attributes:
        deadline_ms: A challenger's answer later than this is answered by the champion.
        error_rate: Tolerated share of failed challenger requests.
        latency_increase: Tolerated relative increase of mean latency over the champion.
        kpi: Outcome metric to guard; None guards the loss (error against the label).
        kpi_drop: Tolerated relative drop of the KPI (or rise of the loss).
        alpha: Chance of a false alarm over the whole phase, however often it is looked at.
        breaker_failures: Consecutive failures that open the circuit.
        breaker_open_s: Seconds until a probe is let through.
        breaker_rollback_s: Seconds open until the challenger is rolled back.
    """

    deadline_ms: float = 250.0
    error_rate: float = 0.02
    latency_increase: float = 0.5
    kpi: str | None = None
    kpi_drop: float = 0.10
    alpha: float = 0.001
    breaker_failures: int = 5
    breaker_open_s: float = 2.0
    breaker_rollback_s: float = 10.0

    def __post_init__(self) -> None:
        """Refuse guards that could never, or always, sound the alarm."""
        mistakes = [
            f"{name} {getattr(self, name)} is not above 0 and finite"
            for name in ("deadline_ms", "latency_increase", "kpi_drop", "breaker_failures")
            if not 0 < getattr(self, name) < inf
        ]
        mistakes += [
            f"{name} {getattr(self, name)} is negative or not finite"
            for name in ("breaker_open_s", "breaker_rollback_s")
            if not 0 <= getattr(self, name) < inf
        ]
        mistakes += [
            f"{name} {getattr(self, name)} is not between 0 and 1"
            for name in ("error_rate", "alpha")
            if not 0 < getattr(self, name) < 1
        ]
        if mistakes:
            raise InvalidRecord.of("The guards", mistakes, "Leave a guard out to use its default.")


class TrafficPlan(Record, frozen=True, kw_only=True, dict=True):
    """
    Who answers callers, who only watches.

    Attributes:
        epoch: Grows by one with every plan of a model; the first is 1.
        phase: Period over which statistics are kept together, e.g. "r-0007.2".
        salt: Names the experiment. Keep it while a canary grows; a new salt
            deals every key afresh.
        slices: In the order they are walked; weights in parts per million.
        arms: The version behind each variant; exactly one is the champion.
        shadows: Versions that see a copy; their answers are only logged. The champion's own
            version may be one: how far it differs from itself is the noise of the comparison.
        forced: Keys that always get a variant, excluded from statistics.
        enrolment: Whole percent of keys that take part; the rest is the holdout.
        layer: Only keys in this stretch take part, so that models do not disturb each other; plans
            without one are written as they were before there were layers.
        paused: True while ramping is held; guards stay active.
        watch: Over a new champion; plans without one are written as they were before there were watches.
    """

    model: str
    epoch: int
    phase: str
    salt: str
    slices: tuple[Slice, ...]
    arms: tuple[Arm, ...]
    shadows: tuple[str, ...] = ()
    forced: dict[str, tuple[str, ...]] = {}
    enrolment: int = 100
    layer: Layer | UnsetType = UNSET
    guards: Guards = Guards()
    paused: bool = False
    watch: PlanWatch | UnsetType = UNSET
    rollout_id: str | None = None
    algorithm: Literal["unleash-5"] = "unleash-5"
    created_at: datetime
    actor: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse a plan that could not answer every key, with all its mistakes."""
        mistakes = [*name_mistakes("Model", self.model), *self._arm_mistakes(), *self._slice_mistakes()]
        if self.epoch < 1:
            mistakes.append(f"epoch {self.epoch} is below 1")
        mistakes += salt_mistakes(self.salt)
        if not self.phase:
            mistakes.append("its phase has no name")
        if not 0 <= self.enrolment <= 100:
            mistakes.append(f"enrolment {self.enrolment} is not between 0 and 100 percent")
        mistakes += self.layer.mistakes() if self.layer else []
        mistakes += self._watch_mistakes()
        if mistakes:
            raise InvalidRecord.of(
                "The traffic plan",
                mistakes,
                "Give the champion what the others leave, so that the weights add up to 1000000.",
            )

    def _arm_mistakes(self) -> list[str]:
        variants = [arm.variant for arm in self.arms]
        mistakes = [f"variant {v!r} has {n} arms" for v, n in Counter(variants).items() if n > 1]
        if CHAMPION not in variants:
            mistakes.append("no arm is the champion")
        for arm in self.arms:
            mistakes += name_mistakes("variant", arm.variant)
            mistakes += version_mistakes(f"version of {arm.variant}", arm.version)
        for shadow in self.shadows:
            mistakes += version_mistakes("shadow", shadow)
        mistakes += [f"shadow {v} is listed twice" for v, n in Counter(self.shadows).items() if n > 1]
        mistakes += [f"forced variant {v!r} has no arm" for v in self.forced if v not in variants]
        return mistakes + forced_mistakes(self.forced.values())

    def _watch_mistakes(self) -> list[str]:
        if isinstance(self.watch, UnsetType):
            return []
        former = self.watch.former
        mistakes = version_mistakes("former champion", former)
        if any(arm.version == former for arm in self.arms if arm.variant == CHAMPION):
            mistakes.append(f"former champion {former} is the champion")
        return mistakes

    def _slice_mistakes(self) -> list[str]:
        variants = {arm.variant for arm in self.arms}
        mistakes = [f"slice of {s.variant!r} has no arm" for s in self.slices if s.variant not in variants]
        mistakes += [f"weight {s.weight} of {s.variant!r} is negative" for s in self.slices if s.weight < 0]
        total = sum(s.weight for s in self.slices)
        if total != TOTAL:
            shares = " + ".join(f"{s.weight} ({s.variant})" for s in self.slices)
            mistakes.append(f"weights add up to {total}, not {TOTAL}: {shares}")
        return mistakes

    @cached_property
    def dealer(self) -> Dealer:
        """What decides, worked out once."""
        return Dealer.of(self)

    def assign(self, key: object) -> Assignment:
        """Choose the variant that answers *key*, and say why; see `registry.assignment`."""
        return self.dealer.deal(key)

    def version_of(self, variant: str) -> str:
        """Look up the version behind *variant*; KeyError if it has no arm."""
        return {arm.variant: arm.version for arm in self.arms}[variant]

    def weight_of(self, variant: str) -> int:
        """Parts per million that *variant* answers."""
        return sum(s.weight for s in self.slices if s.variant == variant)

    @property
    def challengers(self) -> tuple[Arm, ...]:
        """Arms other than the champion."""
        return tuple(arm for arm in self.arms if arm.variant != CHAMPION)


def forced_mistakes(chosen: Iterable[Iterable[str]]) -> list[str]:
    """Say which keys are forced to several variants; *chosen* has the keys of each."""
    found = Counter(key for keys in chosen for key in set(keys))
    return [f"key {key!r} is forced to {n} variants" for key, n in found.items() if n > 1]
