"""Group sequential tests: the horizon to declare, and how soon it ends as a rule."""

from dataclasses import dataclass, replace

from flows.stats.planning.discordant import discordant_n
from flows.stats.planning.means import paired_means_n, two_means_n
from flows.stats.planning.proportions import two_proportions_n
from flows.stats.planning.solving import Sides, positive
from flows.stats.sequential.group.design import GroupDesign, drift_needed, inflation, operating

_DEFAULT = GroupDesign(horizon=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """
    What a group sequential test needs.

    Attributes:
        design: With its horizon; give it to `monitor`.
        fixed: Rows (or pairs) that one look with the same alpha and power needs.
        inflation: Horizon over fixed.
        horizon: Rows (or pairs) if the test never stops early; of both groups together.
        champion, challenger: Of the horizon; both are the horizon when rows are paired.
        looks: Rows (or pairs) at each planned look.
        expected: Mean rows if the effect is as planned.
        expected_null: Mean rows if there is none.
    """

    design: GroupDesign
    fixed: float
    inflation: float
    horizon: float
    champion: float
    challenger: float
    looks: tuple[float, ...]
    expected: float
    expected_null: float


def group_plan(fixed: float, *, design: GroupDesign = _DEFAULT, ratio: float | None = None) -> GroupPlan:
    """
    Stretch a fixed sample to a horizon.

    Args:
        fixed: Rows of both groups together, or pairs, that one look needs for the alpha, sides
            and power of *design*.
        design: Its horizon is of no account.
        ratio: Challenger's rows per row of the champion; None for paired rows.

    Returns:
        Real numbers, so that they can be compared with other software; round them up.

    Source:
        Jennison and Turnbull (2000), ch. 7.3; as gsDesign's n.fix and rpact's
        maxNumberOfSubjects.

    Example:
        gsDesign(n.fix = 100) with its defaults needs 106.988 rows:

        >>> from flows.stats.sequential.group.spending import hwang_shih_decani
        >>> like = GroupDesign(horizon=1, alpha=0.025, sided=1, power=0.9, fractions=(1 / 3, 2 / 3, 1.0),
        ...     spending=hwang_shih_decani(-4), futility=hwang_shih_decani(-2))
        >>> f"{group_plan(100, design=like).horizon:.3f}"
        '106.988'
    """
    factor = inflation(design)
    horizon = positive("fixed", fixed) * factor
    champion = horizon if ratio is None else horizon / (1 + positive("ratio", ratio))
    return GroupPlan(
        design=replace(design, horizon=horizon),
        fixed=fixed,
        inflation=factor,
        horizon=horizon,
        champion=champion,
        challenger=champion * (1.0 if ratio is None else ratio),
        looks=tuple(fraction * horizon for fraction in design.fractions),
        expected=operating(design, drift_needed(design)).expected * horizon,
        expected_null=operating(design, 0.0).expected * horizon,
    )


def group_means(
    effect: float,
    sd: float,
    *,
    design: GroupDesign = _DEFAULT,
    sd_challenger: float | None = None,
    ratio: float = 1.0,
    margin: float = 0.0,
) -> GroupPlan:
    """
    Plan for two independent means; arguments as of `two_means_n`.

    Example:
        >>> plan = group_means(0.1, 1.0)
        >>> f"{plan.fixed:.0f} {plan.horizon:.0f} {plan.expected:.0f}"
        '3141 3219 2588'
    """
    n = two_means_n(
        effect,
        sd,
        power=design.power,
        sd_challenger=sd_challenger,
        alpha=design.alpha,
        ratio=ratio,
        margin=margin,
        sides=_sides(design),
    )
    return group_plan(n * (1 + ratio), design=design, ratio=ratio)


def group_proportions(
    champion: float, challenger: float, *, design: GroupDesign = _DEFAULT, ratio: float = 1.0, margin: float = 0.0
) -> GroupPlan:
    """
    Plan for two independent rates; arguments as of `two_proportions_n`.

    Example:
        >>> plan = group_proportions(0.10, 0.12)
        >>> f"{plan.fixed:.0f} {plan.horizon:.0f} {plan.champion:.0f}"
        '7682 7872 3936'
    """
    n = two_proportions_n(
        champion,
        challenger,
        power=design.power,
        alpha=design.alpha,
        ratio=ratio,
        margin=margin,
        sides=_sides(design),
    )
    return group_plan(n * (1 + ratio), design=design, ratio=ratio)


def group_paired_means(effect: float, sd: float, *, design: GroupDesign = _DEFAULT, margin: float = 0.0) -> GroupPlan:
    """Plan for the mean of a per-row difference; arguments as of `paired_means_n`."""
    n = paired_means_n(effect, sd, power=design.power, alpha=design.alpha, margin=margin, sides=_sides(design))
    return group_plan(n, design=design)


def group_discordant(difference: float, discordance: float, *, design: GroupDesign = _DEFAULT) -> GroupPlan:
    """Plan for two models on the same rows, right or wrong; arguments as of `discordant_n`."""
    n = discordant_n(difference, discordance, power=design.power, alpha=design.alpha, sides=_sides(design))
    return group_plan(n, design=design)


def _sides(design: GroupDesign) -> Sides:
    return 1 if design.sided == 1 else 2
