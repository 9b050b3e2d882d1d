"""A rollout: how a challenger takes the stage, step by step."""

from datetime import datetime
from math import inf
from typing import Literal

from msgspec import UNSET, UnsetType

from registry.errors import InvalidRecord
from registry.records.base import Record, name_mistakes, salt_mistakes, version_mistakes
from registry.records.plan import Guards, Layer, forced_mistakes
from registry.records.policy import PromotionPolicy
from registry.records.watch import WatchLimits

RolloutStatus = Literal["waiting_approval", "running", "paused", "succeeded", "rolled_back", "aborted"]
Strategy = Literal["direct", "shadow", "canary", "gradual", "ab", "bandit", "shadow+canary", "custom"]
Outcome = Literal["successful", "failed", "inconclusive", "error"]
Question = Literal["begin", "advance", "promote", "inconclusive"]


class Step(Record, frozen=True, kw_only=True):
    """
    One step of a rollout.

    Attributes:
        share: Parts per million that the challenger answers; 0 is shadow.
        min_s: Shortest stay, in seconds of the model's clock.
        max_s: Longest stay; then an inconclusive step is decided by `on_timeout`.
        min_labelled: Labelled requests of the challenger (or pairs in shadow)
            below which nothing is concluded.
        on_timeout: What an inconclusive step does when `max_s` has passed: "ask" waits for a person.
        weighting: "fixed" stays at `share`; "thompson" moves the weight with the chance to be the best.
        floor: Parts per million that neither arm falls below while the weight moves.
        every_s: Shortest time between two weights.
    """

    share: int
    min_s: float
    max_s: float
    min_labelled: int = 100
    on_timeout: Literal["advance", "hold", "ask", "roll_back"] = "hold"
    weighting: Literal["fixed", "thompson"] = "fixed"
    floor: int = 0
    every_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a stay that cannot end, or ends before it may."""
        mistakes = []
        if not 0 <= self.min_s <= self.max_s < inf:
            mistakes.append(f"it stays {self.min_s} to {self.max_s} seconds")
        if not 0 <= self.floor <= 500_000:
            mistakes.append(f"its floor {self.floor} is not between 0 and 500000")
        if not 0 <= self.every_s < inf:
            mistakes.append(f"its weight moves every {self.every_s} seconds")
        if mistakes:
            raise InvalidRecord.of("The step", mistakes, "Let 0 <= min <= max, and the floor be at most a half.")


class StepResult(Record, frozen=True, kw_only=True):
    """
    How a step of a rollout ended.

    Attributes:
        step: Its index; a step that was repeated has several.
        share: Parts per million that the challenger answered at its end.
        outcome: "error" where nothing could be seen or computed.
        said: Why, with the numbers.
        by: Who ended it: "rollout", or a person.
    """

    step: int
    share: int
    outcome: Outcome
    said: str
    began_at: datetime
    ended_at: datetime
    decision_id: str | None = None
    by: str = "rollout"


class Gate(Record, frozen=True, kw_only=True):
    """
    Who must agree, fixed when the rollout begins.

    Attributes:
        roles: One sign-off each, by different people.
        approvers: People who may sign, by role; anybody may for a role that is not named.
        remind_s: Seconds between two reminders.
        expire_s: Seconds after which a question that nobody answered expires.
        on_expiry: "abort" ends the rollout, the champion stays; "hold" goes on asking.
    """

    roles: tuple[str, ...] = ("ml_lead", "business_owner")
    approvers: dict[str, tuple[str, ...]] = {}
    remind_s: float = 86_400.0
    expire_s: float = 7 * 86_400.0
    on_expiry: Literal["abort", "hold"] = "abort"

    def __post_init__(self) -> None:
        """Refuse a gate that nobody could pass."""
        mistakes = [f"role {r!r} is named twice" for r in sorted({r for r in self.roles if self.roles.count(r) > 1})]
        mistakes += [] if self.roles else ["it has no roles"]
        mistakes += [f"approvers of {r!r}, which is no role" for r in self.approvers if r not in self.roles]
        mistakes += [f"nobody may sign as {r}" for r, people in self.approvers.items() if not people]
        for name in ("remind_s", "expire_s"):
            mistakes += [] if 0 < getattr(self, name) < inf else [f"{name} {getattr(self, name)} is not above 0"]
        if mistakes:
            raise InvalidRecord.of("The gate", mistakes, "Name every role once, with at least one person.")


class Waiting(Record, frozen=True, kw_only=True):
    """
    What people are asked.

    Attributes:
        question: "begin": may it answer the first caller; "advance": may it take the next step; "promote": may
            it become champion; "inconclusive": what shall become of a step without a verdict.
        bound_to: Digest that a sign-off must name: rollout, step, both artifacts and the decision that was shown.
        since: On the model's clock.
        reminded: Reminders so far.
    """

    question: Question
    bound_to: str
    since: datetime
    said: str
    reminded: int = 0


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
        strategy: Where its steps come from; "custom" are a person's own.
        gate: Who must agree.
        waiting: What people are asked now; None if nothing.
        outcome: What the step under way comes to so far; None before the first look.
        results: How earlier steps ended, oldest first.
        weight: Parts per million that the challenger answers now, in a step whose weight moves.
        turn: Counts the weights of a step; part of the phase's name.
        watch: Limits for the time after its promotion.
        watch_s: How long that is, in seconds; 0 watches nobody.
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
    strategy: Strategy = "custom"
    gate: Gate = Gate()
    waiting: Waiting | None = None
    outcome: Outcome | None = None
    results: tuple[StepResult, ...] = ()
    weight: int | None = None
    turn: int = 0
    watch: WatchLimits = WatchLimits()
    watch_s: float = 172_800.0

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
