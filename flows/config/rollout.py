"""Sections `rollout` and `approval` of a model's YAML file: how a challenger takes the stage, and who must agree."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from flows.config.durations import Duration, text
from flows.config.section import Name, Period, Section, Share
from registry.records.rollout import Strategy


class StepConfig(Section):
    """One step; share 0 is shadow."""

    share: Share
    min: Duration
    max: Duration | None = Field(default=None, description="Twice min if absent")
    min_labelled: Annotated[int, Field(ge=0)] = 100
    on_timeout: Literal["advance", "hold", "ask", "roll_back"] = "ask"

    @field_validator("max")
    @classmethod
    def _long_enough(cls, value: timedelta | None, seen: ValidationInfo) -> timedelta | None:
        shortest = seen.data.get("min")
        if value is not None and shortest is not None and value < shortest:
            raise ValueError(f"{text(value)} is shorter than min, {text(shortest)}")
        return value


class ShadowConfig(Section):
    """Strategies `shadow` and `shadow+canary`: copies only, until the verdict."""

    min: Duration = timedelta(days=7)
    max: Duration = timedelta(days=14)
    min_labelled: Annotated[int, Field(ge=0)] = 100


class GradualConfig(Section):
    """Strategy `gradual`: a linear ramp."""

    first: Annotated[float, Field(gt=0, le=1)] = 0.05
    steps: Annotated[int, Field(ge=1, le=100)] = 10
    every: Period = timedelta(days=1)
    min_labelled: Annotated[int, Field(ge=0)] = 100


class SplitConfig(Section):
    """Strategy `ab`: a fixed split until it is decided."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    min: Duration = timedelta(days=7)
    max: Duration = timedelta(days=14)
    min_labelled: Annotated[int, Field(ge=0)] = 100


class BanditConfig(Section):
    """Strategy `bandit`: the weight follows the chance to be the best (Thompson), above a floor."""

    first: Annotated[float, Field(gt=0, lt=1)] = 0.1
    floor: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    every: Period = timedelta(hours=1)
    min: Duration = timedelta(days=7)
    max: Duration = timedelta(days=14)
    min_labelled: Annotated[int, Field(ge=0)] = 100

    @model_validator(mode="after")
    def _above_the_floor(self) -> "BanditConfig":
        if not self.floor <= self.first <= 1 - self.floor:
            raise ValueError(f"first {self.first} is not between the floor {self.floor} and {1 - self.floor:g}")
        return self


_SHORTEST_GAP = timedelta(minutes=10)
CANARY = (
    StepConfig(share=0.1, min=timedelta(days=1)),
    StepConfig(share=0.5, min=timedelta(days=2)),
    StepConfig(share=1, min=timedelta(hours=1), min_labelled=0),
)


class RolloutConfig(Section):
    """Shadow first, then a growing canary."""

    strategy: Strategy = "shadow+canary"
    steps: tuple[StepConfig, ...] = Field(default=(), description="Your own, in place of a strategy's")
    shadow: ShadowConfig = ShadowConfig()
    canary: tuple[StepConfig, ...] = CANARY
    gradual: GradualConfig = GradualConfig()
    ab: SplitConfig = SplitConfig()
    bandit: BanditConfig = BanditConfig()
    speed: Annotated[float, Field(gt=0, le=1e6)] = Field(
        default=1.0, description="Every time of rollout, approval and watch is divided by it: for trying out"
    )
    longest_gap: Period = Field(
        default=timedelta(minutes=20),
        description="Time between two looks beyond which a step is not said to have baked; at least 10m",
    )

    @field_validator("longest_gap")
    @classmethod
    def _longer_than_between_looks(cls, value: timedelta) -> timedelta:
        if value < _SHORTEST_GAP:
            raise ValueError(
                f"{text(value)} is shorter than {text(_SHORTEST_GAP)}: with looks every 5 minutes no step ends"
            )
        return value

    @model_validator(mode="after")
    def _grows(self) -> "RolloutConfig":
        for name, steps in (("steps", self.steps), ("canary", self.canary)):
            shares = [step.share for step in steps]
            if shares != sorted(shares) or (shares and shares[-1] != 1):
                raise ValueError(f"{name}: shares {shares} must grow and end at 1")
        if not self.canary:
            raise ValueError("canary: it has no steps")
        if self.strategy == "custom" and not self.steps:
            raise ValueError("strategy custom needs steps")
        return self


class Approval(Section):
    """Who must agree before a challenger answers callers."""

    roles: tuple[Name, ...] = ("ml_lead", "business_owner")
    approvers: dict[Name, tuple[Name, ...]] = Field(
        default_factory=dict, description="Role -> people who may sign; anybody for a role that is not named"
    )
    form: bool = Field(default=True, description="Ask in the Prefect UI too, where people say themselves who they are")
    remind: Period = timedelta(days=1)
    expire: Period = timedelta(days=7)
    on_expiry: Literal["abort", "hold"] = "abort"

    @model_validator(mode="after")
    def _passable(self) -> "Approval":
        mistakes = [f"role {r!r} is named twice" for r in sorted({r for r in self.roles if self.roles.count(r) > 1})]
        mistakes += [] if self.roles else ["there are no roles; promotion.require_approval: false asks nobody"]
        mistakes += [f"approvers of {r!r}, which is no role" for r in self.approvers if r not in self.roles]
        mistakes += [f"nobody may sign as {r}" for r, people in self.approvers.items() if not people]
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self
