"""Size and power of the test with which each design ends."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from flows.stats.planning import areas, discordant, means, proportions
from flows.stats.planning.question import Question
from flows.stats.planning.solving import Sides
from flows.stats.planning.waiting import (
    Waiting,
    discordant_told,
    discordant_waiting,
    sequence_told,
    sequence_waiting,
    two_sample_clock,
)
from flows.stats.sequential.asymptotic import MIN_ASYMPTOTIC, MIN_PAIRED

if TYPE_CHECKING:
    from flows.stats.sequential.group.design import GroupDesign


class Size(NamedTuple):
    """Rows of the champion (or pairs): by which it has told in most cases, and on average."""

    enough: float
    expected: float


class Ending(NamedTuple):
    """
    One test.

    Attributes:
        size: Of a question.
        chance: Power of the first question with the rows that the second one asked for.
        method: In a statistician's words.
    """

    name: str
    paired: bool
    always_valid: bool
    size: Callable[[Question], Size]
    chance: Callable[[Question, float, Question], float]
    method: Callable[[Question], str]


def _sided(q: Question) -> tuple[float, Sides]:
    """Superiority: two-sided. Non-inferiority: the lower bound of the same interval."""
    return (q.alpha / 2, 1) if q.margin else (q.alpha, 2)


def _holdout(q: Question) -> Size:
    alpha, sides = _sided(q)
    if q.kind == "area":
        n = areas.two_areas_n(
            q.champion,
            q.champion + q.effect,
            ones=q.ones,
            power=q.each_power,
            correlation=q.correlation,
            alpha=alpha,
            margin=q.margin,
            sides=sides,
        )
    elif q.kind == "rate" and not q.margin:
        n = discordant.discordant_n(q.effect, discordance_of(q), power=q.each_power, alpha=alpha)
    else:
        n = means.paired_means_n(
            q.effect, spread_of_pairs(q), power=q.each_power, alpha=alpha, margin=q.margin, sides=sides
        )
    return Size(n, n)


def _holdout_chance(q: Question, rows: float, _: Question) -> float:
    alpha, sides = _sided(q)
    if q.kind == "area":
        return areas.two_areas_power(
            rows,
            q.champion,
            q.champion + q.effect,
            ones=q.ones,
            correlation=q.correlation,
            alpha=alpha,
            margin=q.margin,
            sides=sides,
        )
    if q.kind == "rate" and not q.margin:
        return discordant.discordant_power(rows, q.effect, discordance_of(q), alpha=alpha)
    return means.paired_means_power(rows, q.effect, spread_of_pairs(q), alpha=alpha, margin=q.margin, sides=sides)


def _shadow(q: Question) -> Size:
    if q.kind == "rate" and not q.margin:
        return _sized(discordant_waiting(q.effect, discordance_of(q), power=q.each_power, alpha=q.alpha))
    return _sized(
        sequence_waiting(
            q.effect + q.margin,
            spread_of_pairs(q),
            power=q.each_power,
            alpha=q.alpha,
            first=MIN_PAIRED,
            tuned_to=_holdout(q).enough,
        )
    )


def _shadow_chance(q: Question, rows: float, planned: Question) -> float:
    if q.kind == "rate" and not q.margin:
        return discordant_told(rows, q.effect, discordance_of(q), alpha=q.alpha)
    return sequence_told(
        rows,
        q.effect + q.margin,
        spread_of_pairs(q),
        alpha=q.alpha,
        first=MIN_PAIRED,
        tuned_to=_holdout(planned).enough,
    )


def _one_look(q: Question) -> Size:
    alpha, sides = _sided(q)
    if q.kind == "area":
        n = areas.two_areas_n(
            q.champion,
            q.champion + q.effect,
            ones=q.ones,
            power=q.each_power,
            ratio=q.ratio,
            alpha=alpha,
            margin=q.margin,
            sides=sides,
        )
    elif q.kind == "rate":
        n = proportions.two_proportions_n(
            q.champion,
            q.champion + q.effect,
            power=q.each_power,
            alpha=alpha,
            ratio=q.ratio,
            margin=q.margin,
            sides=sides,
        )
    else:
        n = means.two_means_n(
            q.effect, q.sd or 0.0, power=q.each_power, alpha=alpha, ratio=q.ratio, margin=q.margin, sides=sides
        )
    return Size(n, n)


def _one_look_chance(q: Question, rows: float, _: Question) -> float:
    alpha, sides = _sided(q)
    if q.kind == "area":
        return areas.two_areas_power(
            rows,
            q.champion,
            q.champion + q.effect,
            ones=q.ones,
            ratio=q.ratio,
            alpha=alpha,
            margin=q.margin,
            sides=sides,
        )
    if q.kind == "rate":
        return proportions.two_proportions_power(
            rows, q.champion, q.champion + q.effect, alpha=alpha, ratio=q.ratio, margin=q.margin, sides=sides
        )
    return means.two_means_power(rows, q.effect, q.sd or 0.0, alpha=alpha, ratio=q.ratio, margin=q.margin, sides=sides)


def _few_looks(q: Question) -> Size:
    from flows.stats.planning.group import group_plan

    plan = group_plan(_one_look(q).enough, design=group_design(q))
    return Size(plan.horizon, plan.expected)


def _few_looks_chance(q: Question, rows: float, planned: Question) -> float:  # noqa: ARG001  rows are the design's
    from flows.stats.sequential.group.design import drift_needed, operating

    design = group_design(planned)
    factor = (q.effect + q.margin) / (planned.effect + planned.margin)
    return operating(design, drift_needed(design) * factor).power


def group_design(q: Question) -> "GroupDesign":
    """Looks at equal distances."""
    from flows.stats.sequential.group import spending
    from flows.stats.sequential.group.design import GroupDesign

    makers: dict[str, Callable[[], spending.Spending]] = {
        "obrien_fleming": spending.obrien_fleming,
        "pocock": spending.pocock,
        "power": lambda: spending.power_family(2.0),
        "hwang_shih_decani": lambda: spending.hwang_shih_decani(-4.0),
    }
    alpha, sides = _sided(q)
    fractions = tuple((k + 1) / q.looks for k in range(q.looks))
    return GroupDesign(
        horizon=1.0, alpha=alpha, sided=sides, spending=makers[q.spending](), fractions=fractions, power=q.each_power
    )


def _any_look(q: Question) -> Size:
    sd, rows = _clock(q)
    seen = sequence_waiting(
        q.effect + q.margin,
        sd,
        power=q.each_power,
        alpha=q.alpha,
        first=_first(q, rows),
        tuned_to=_one_look(q).enough / rows,
    )
    return Size(seen.enough * rows, seen.expected * rows)


def _any_look_chance(q: Question, rows: float, planned: Question) -> float:
    sd, each = _clock(q)
    tuned = _one_look(planned).enough / each
    return sequence_told(rows / each, q.effect + q.margin, sd, alpha=q.alpha, first=_first(q, each), tuned_to=tuned)


def _clock(q: Question) -> tuple[float, float]:
    if q.kind == "rate":
        p, c = q.champion, q.champion + q.effect
        return two_sample_clock(math.sqrt(p * (1 - p)), math.sqrt(c * (1 - c)), q.ratio)
    return two_sample_clock(q.sd or 0.0, q.sd or 0.0, q.ratio)


def _first(q: Question, rows: float) -> float:
    return MIN_ASYMPTOTIC / min(1.0, q.ratio) / rows


def _sized(seen: Waiting) -> Size:
    return Size(seen.enough, seen.expected)


def discordance_of(q: Question) -> float:
    """As given; else half of what independent errors would give, but enough for the effect."""
    if q.discordance is not None:
        return q.discordance
    independent = discordant.independent_discordance(q.champion, min(q.champion + abs(q.effect), 1 - 1e-9))
    return max(independent / 2, abs(q.effect) * 1.2)


def spread_of_pairs(q: Question) -> float:
    """Standard deviation of a per-row difference."""
    if q.kind == "rate":
        return math.sqrt(max(discordance_of(q) - q.effect**2, 1e-12))
    return means.sd_of_difference(q.sd or 0.0, q.correlation)


def _paired_name(q: Question) -> str:
    if q.kind == "area":
        return "DeLong test; Hanley-McNeil variance"
    return "McNemar test; Connor (1987)" if q.kind == "rate" and not q.margin else "paired t test"


def _shadow_name(q: Question) -> str:
    pairs = q.kind == "rate" and not q.margin
    return (
        "e-process on discordant pairs"
        if pairs
        else "asymptotic confidence sequence, paired, tuned to the holdout size"
    )


def _split_name(q: Question) -> str:
    return {"area": "two areas; Hanley-McNeil variance", "rate": "two proportions", "mean": "t test"}[q.kind]


ALL = (
    Ending("holdout, paired", True, False, _holdout, _holdout_chance, _paired_name),
    Ending("shadow, always-valid", True, True, _shadow, _shadow_chance, _shadow_name),
    Ending("A/B, one look", False, False, _one_look, _one_look_chance, _split_name),
    Ending(
        "A/B, group sequential",
        False,
        False,
        _few_looks,
        _few_looks_chance,
        lambda q: f"{q.looks} looks, {q.spending} spending",
    ),
    Ending(
        "A/B, always-valid",
        False,
        True,
        _any_look,
        _any_look_chance,
        lambda _: "asymptotic confidence sequence, two samples, tuned to the size of one look",
    ),
)
