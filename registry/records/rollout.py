"""A rollout: how a challenger takes the stage, step by step."""

from datetime import datetime
from math import inf
from typing import Literal

from msgspec import UNSET, UnsetType

from registry.errors import InvalidRecord
from registry.records.base import Record, name_mistakes, salt_mistakes, version_mistakes
from registry.records.plan import Guards, Layer, forced_mistakes
from registry.records.policy import PromotionPolicy

RolloutStatus = Literal["waiting_approval", "running", "paused", "succeeded", "rolled_back", "aborted"]


class Step(Record, frozen=True, kw_only=True):
    """
    One step of a rollout.

    Attributes:
        share: Parts per million that the challenger answers; 0 is shadow.
        min_s: Shortest stay, in seconds of the model's clock.
        max_s: Longest stay; then an inconclusive step is decided by `on_timeout`.
        min_labelled: Labelled requests of the challenger (or pairs in shadow)
            below which nothing is concluded.
        on_timeout: What an inconclusive step does when `max_s` has passed.
    """

    share: int
    min_s: float
    max_s: float
    min_labelled: int = 100
    on_timeout: Literal["advance", "hold", "roll_back"] = "hold"

    def __post_init__(self) -> None:
        """Refuse a stay that cannot end, or ends before it may."""
        if not 0 <= self.min_s <= self.max_s < inf:
            mistakes = [f"it stays {self.min_s} to {self.max_s} seconds"]
            raise InvalidRecord.of("The step", mistakes, "Let 0 <= min <= max.")


class Experiment(Record, frozen=True, kw_only=True):
    """
    Who takes part in the plans of a rollout; what is left out stays as the plan before has it.

    Attributes:
        layer: Only keys in this stretch take part; None takes the model out of its layer.
        enrolment: Whole percent of keys that take part.
        forced: Keys that always get a variant; those of a variant that has no arm yet wait for it.
        noise_arm: Whether the champion's own version watches beside a challenger in shadow.
    """

    layer: Layer | UnsetType | None = UNSET
    enrolment: int | UnsetType = UNSET
    forced: dict[str, tuple[str, ...]] | UnsetType = UNSET
    noise_arm: bool = False

    def __post_init__(self) -> None:
        """Refuse what no plan could hold."""
        mistakes = self.layer.mistakes() if self.layer else []
        if not isinstance(self.enrolment, UnsetType) and not 0 <= self.enrolment <= 100:
            mistakes.append(f"enrolment {self.enrolment} is not between 0 and 100 percent")
        mistakes += forced_mistakes(self.forced.values()) if self.forced else []
        if mistakes:
            raise InvalidRecord.of("The experiment", mistakes, "Correct the section experiment of the configuration.")


class Rollout(Record, frozen=True, kw_only=True):
    """
    Durable state of one rollout; flows drive it, the registry owns it.

    Attributes:
        id: e.g. "r-0007".
        step: Index into steps; -1 before the first.
        step_started_at: On the model's clock (virtual in a replay).
        revision: Compare-and-swap counter, grows with every change.
        proven: Whether a verdict of the holdout or of an earlier step has shown the goal; then
            a split looks for harm only.
        experiment: Who takes part; as the plan before has it if absent.
    """

    id: str
    model: str
    champion: str
    challenger: str
    steps: tuple[Step, ...]
    policy: PromotionPolicy
    guards: Guards = Guards()
    salt: str
    status: RolloutStatus = "running"
    step: int = -1
    step_started_at: datetime
    created_at: datetime
    revision: int = 1
    said: str = ""
    decision_id: str | None = None
    proven: bool = False
    experiment: Experiment | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse names that cannot be, and steps that shrink or leave the range."""
        mistakes = [
            *name_mistakes("Model", self.model),
            *version_mistakes("Champion", self.champion),
            *version_mistakes("Challenger", self.challenger),
            *salt_mistakes(self.salt),
        ]
        shares = [s.share for s in self.steps]
        if not -1 <= self.step < max(len(shares), 1):
            mistakes.append(f"step {self.step} is none of its {len(shares)} steps")
        if self.revision < 1:
            mistakes.append(f"revision {self.revision} is below 1")
        if not shares:
            mistakes.append("it has no steps")
        if shares != sorted(shares):
            mistakes.append(f"shares {shares} do not grow")
        mistakes += [f"share {s} is not between 0 and 1000000" for s in shares if not 0 <= s <= 1_000_000]
        if self.champion == self.challenger:
            mistakes.append(f"champion and challenger are both {self.champion}")
        if mistakes:
            raise InvalidRecord.of("The rollout", mistakes, "Write the steps from the smallest share to the largest.")

    @property
    def active(self) -> bool:
        """Whether it can still move."""
        return self.status in ("waiting_approval", "running", "paused")
