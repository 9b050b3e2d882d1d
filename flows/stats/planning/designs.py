"""The same question put to every design: how many labels each of them needs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from scipy import optimize

from flows.stats.planning.adjusting import covariate_factor, design_effect
from flows.stats.planning.endings import ALL, Ending
from flows.stats.planning.question import Question
from flows.stats.planning.solving import positive


class Design(NamedTuple):
    """
    One way to find out.

    Attributes:
        name: e.g. "shadow, always-valid".
        paired: Both models score the same rows.
        champion, challenger: Labelled rows of each; of the same rows when paired.
        labels: Labelled rows in all, by which it has told with the wanted power.
        expected: Mean number of labelled rows until it tells, if the effect is real.
        method: Test and calculation.
    """

    name: str
    paired: bool
    champion: int
    challenger: int
    labels: int
    expected: int
    method: str


def designs(question: Question) -> tuple[Design, ...]:
    """
    Size every design that can answer.

    Raises:
        ValueError: If a number is out of range, or no sample would show the effect.

    Example:
        >>> found = designs(Question(kind="rate", champion=0.85, effect=0.01, discordance=0.06))
        >>> [(d.name, d.labels) for d in found][:3]
        [('holdout, paired', 4707), ('shadow, always-valid', 9347), ('A/B, one look', 38922)]
    """
    return tuple(_design(question, test) for test in available(question))


def available(question: Question) -> tuple[Ending, ...]:
    """Tests that can answer the question: KPIs of callers need a split, areas have no sequence."""
    return tuple(
        test
        for test in ALL
        if (question.paired or not test.paired) and (question.kind != "area" or not test.always_valid)
    )


def power_curve(
    question: Question, factors: Sequence[float] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
) -> dict[str, tuple[float | None, ...]]:
    """
    Chance that each design, sized for the planned effect, tells when the true effect is another.

    Args:
        factors: True effect over the planned one; for non-inferiority the distance to the margin.

    Returns:
        By name of the design, one chance per factor; None where the effect cannot be so large.
    """
    found = {}
    for test in available(question):
        rows = test.size(question).enough
        found[test.name] = tuple(_chance(question, test, rows, factor) for factor in factors)
    return found


def detectable(question: Question, labels: float) -> dict[str, float]:
    """
    Smallest effect that so many labelled rows show with the wanted power.

    Args:
        question: Its effect is of no account.
        labels: Labelled rows in all.

    Returns:
        By name of the design, in the unit of the metric; inf when no effect would be seen.

    Example:
        >>> asked = Question(kind="rate", champion=0.85, effect=0.0, discordance=0.06)
        >>> f"{detectable(asked, 4707)['holdout, paired']:.4f}"
        '0.0100'
    """
    positive("labels", labels)
    return {test.name: _smallest(question, test, labels) for test in available(question)}


def _design(question: Question, test: Ending) -> Design:
    size, weight = test.size(question), _weight(question, test)
    each = math.ceil(size.enough * weight - 1e-9)
    other = each if test.paired else math.ceil(size.enough * weight * question.ratio - 1e-9)
    labels = each if test.paired else each + other
    expected = labels * min(1.0, size.expected / size.enough)
    return Design(test.name, test.paired, each, other, labels, math.ceil(expected), test.method(question))


def _weight(question: Question, test: Ending) -> float:
    """How many rows stand for one independent row without covariate."""
    keys = design_effect(question.per_key, question.icc)
    return keys if test.paired else keys * covariate_factor(question.covariate)


def _chance(question: Question, test: Ending, rows: float, factor: float) -> float | None:
    distance = (question.effect + question.margin) * factor
    if distance > _largest(question, test):
        return None
    return min(1.0, test.chance(replace(question, effect=distance - question.margin), rows, question))


def _smallest(question: Question, test: Ending, labels: float) -> float:
    weight = _weight(question, test) * (1.0 if test.paired else 1 + question.ratio)
    rows, largest = labels / weight, _largest(question, test)

    def excess(log_effect: float) -> float:
        asked = replace(question, effect=math.exp(log_effect) - question.margin)
        return math.log(test.size(asked).enough / rows)

    high, low = _bracket(excess, math.log(largest))
    if high is None:
        return math.inf
    return math.exp(float(optimize.brentq(excess, low, high, xtol=1e-5))) - question.margin


def _bracket(excess: Callable[[float], float], top: float) -> tuple[float | None, float]:
    """Halve the effect until the rows no longer suffice."""
    if excess(top) > 0:
        return None, top
    low = top - math.log(2)
    while excess(low) < 0:
        low -= math.log(2)
    return low + math.log(2), low


def _largest(question: Question, test: Ending) -> float:
    """Distance from the bound to the best that the metric allows."""
    if question.kind == "mean":
        return 100 * positive("sd", question.sd or 0.0) + question.margin
    best = 1 - question.champion
    if test.paired and question.discordance is not None:
        best = min(best, question.discordance)
    return best * (1 - 1e-6) + question.margin
