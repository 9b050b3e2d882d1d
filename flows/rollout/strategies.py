"""The steps of every strategy."""

from collections.abc import Callable
from datetime import timedelta

import msgspec

from flows.config.model import ModelConfig
from flows.config.rollout import RolloutConfig, StepConfig
from registry.assignment import TOTAL
from registry.records.rollout import Step, Strategy


def strategy_of(section: RolloutConfig) -> Strategy:
    """Where the steps come from: steps of one's own stand before any strategy."""
    return "custom" if section.steps else section.strategy


def configured_steps(config: ModelConfig, strategy: Strategy | None = None) -> tuple[Step, ...]:
    """
    Turn the configured steps, or those of *strategy*, into records.

    Args:
        config: Sections `rollout` and, for its speed, the times in it.
        strategy: Instead of the configured one.
    """
    section = config.rollout
    chosen = strategy or strategy_of(section)
    return tuple(_faster(one, section.speed) for one in _steps_of(section, chosen))


def _steps_of(section: RolloutConfig, strategy: Strategy) -> tuple[Step, ...]:
    return _MAKERS[strategy](section)


def _own(section: RolloutConfig) -> tuple[Step, ...]:
    return _records(section.steps or section.canary)


def _direct(section: RolloutConfig) -> tuple[Step, ...]:  # noqa: ARG001 (one of the makers)
    return _records((StepConfig(share=1, min=timedelta(0), min_labelled=0),))


def _shadow(section: RolloutConfig) -> tuple[Step, ...]:
    chosen = section.shadow
    return _records((StepConfig(share=0, min=chosen.min, max=chosen.max, min_labelled=chosen.min_labelled),))


def _canary(section: RolloutConfig) -> tuple[Step, ...]:
    return _records(section.canary)


def _shadow_and_canary(section: RolloutConfig) -> tuple[Step, ...]:
    return (*_shadow(section), *_canary(section))


def _gradual(section: RolloutConfig) -> tuple[Step, ...]:
    """Shares on a straight line from the first to 1."""
    ramp, last = section.gradual, section.gradual.steps - 1
    shares = [ramp.first + (1 - ramp.first) * i / last for i in range(last)] if last else []
    return _records(
        tuple(
            StepConfig(share=round(share, 6), min=ramp.every, min_labelled=ramp.min_labelled)
            for share in (*shares, 1.0)
        )
    )


def _ab(section: RolloutConfig) -> tuple[Step, ...]:
    split = section.ab
    return _records((StepConfig(share=split.share, min=split.min, max=split.max, min_labelled=split.min_labelled),))


def _bandit(section: RolloutConfig) -> tuple[Step, ...]:
    bandit = section.bandit
    moving = Step(
        share=round(bandit.first * TOTAL),
        min_s=bandit.min.total_seconds(),
        max_s=bandit.max.total_seconds(),
        min_labelled=bandit.min_labelled,
        on_timeout="ask",
        weighting="thompson",
        floor=round(bandit.floor * TOTAL),
        every_s=bandit.every.total_seconds(),
    )
    return (moving,)


def _records(steps: tuple[StepConfig, ...]) -> tuple[Step, ...]:
    return tuple(_record(one) for one in steps)


def _record(one: StepConfig) -> Step:
    shortest = one.min.total_seconds()
    return Step(
        share=round(one.share * TOTAL),
        min_s=shortest,
        max_s=one.max.total_seconds() if one.max is not None else 2 * shortest,
        min_labelled=one.min_labelled,
        on_timeout=one.on_timeout,
    )


def _faster(step: Step, speed: float) -> Step:
    times = {name: getattr(step, name) / speed for name in ("min_s", "max_s", "every_s")}
    return step if speed == 1 else msgspec.structs.replace(step, **times)


_MAKERS: dict[Strategy, Callable[[RolloutConfig], tuple[Step, ...]]] = {
    "custom": _own,
    "direct": _direct,
    "shadow": _shadow,
    "canary": _canary,
    "gradual": _gradual,
    "ab": _ab,
    "bandit": _bandit,
    "shadow+canary": _shadow_and_canary,
}
