"""A test of planned horizon: what it promises before it starts."""

import math
from dataclasses import dataclass, field
from functools import lru_cache

from scipy import special

from flows.stats.checks import number, share
from flows.stats.sequential.group.bounds import Walked, exits, increasing, sides, walked
from flows.stats.sequential.group.futility import with_futility
from flows.stats.sequential.group.spending import Spending, obrien_fleming

_WIDEST = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDesign:
    """
    A test of a challenger that is looked at a few times on the way to a horizon.

    Attributes:
        horizon: Information at which all of alpha is spent, as a rule a number of requests.
        alpha: Error rate over all looks, of both sides together.
        sided: 2 also stops for harm; 1 only asks whether the challenger is better.
        spending: Of alpha; each side has half of it.
        fractions: Of the horizon, at which looks are planned; the last is 1. The looks really
            taken may be others, and more or fewer.
        futility: Spends 1 - power; None never stops for futility. Non-binding: whoever goes on
            nevertheless keeps the type I error.
        power: Wanted at the effect that the horizon was made for.
    """

    horizon: float
    alpha: float = 0.05
    sided: int = 2
    spending: Spending = field(default_factory=obrien_fleming)
    fractions: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    futility: Spending | None = None
    power: float = 0.8

    def __post_init__(self) -> None:
        share("alpha", self.alpha)
        share("power", self.power)
        sides(self.sided)
        increasing("fractions", self.fractions)
        if not (math.isfinite(self.horizon) and self.horizon > 0):
            raise ValueError(f"horizon is {self.horizon}; give the information planned for the last look, above 0")
        if self.fractions[-1] != 1.0:
            raise ValueError(f"fractions end at {self.fractions[-1]}; the last planned look is at 1, the horizon")
        if self.power <= self.alpha:
            raise ValueError(f"power is {self.power}, not above alpha {self.alpha}; give more, as a rule 0.8 or 0.9")

    @property
    def log_level(self) -> float:
        """Log of the error rate of one side."""
        return math.log(self.alpha) - math.log(self.sided)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundaries:
    """
    What z must reach at each look.

    Attributes:
        fractions: Of the horizon.
        efficacy: The challenger is better at or above it; worse at or below its negative, if the
            test has two sides.
        futility: Hope is lost at or below it; empty when the design has none.
        nominal: The p-value that a look must reach, of as many sides as the design.
        spent: Share of alpha used up, both sides together.
    """

    fractions: tuple[float, ...]
    efficacy: tuple[float, ...]
    futility: tuple[float, ...]
    nominal: tuple[float, ...]
    spent: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """
    What becomes of a design under one true effect.

    Attributes:
        power: Chance of being stopped for, or ending with, a better challenger.
        harm: Chance of finding it worse; 0 for one side.
        futility: Chance of being stopped for futility before the horizon.
        stop: Chance of stopping at each look, for whatever reason; the last includes the horizon.
        expected: Mean information when it ends, as a fraction of the horizon.
    """

    power: float
    harm: float
    futility: float
    stop: tuple[float, ...]
    expected: float


def boundaries(design: GroupDesign) -> Boundaries:
    """
    Bounds at the planned looks.

    Example:
        Agrees with gsDesign's default design (upper 3.0107, 2.5465, 1.9992; lower -0.2387, 0.9411):

        >>> from flows.stats.sequential.group.spending import hwang_shih_decani
        >>> plan = boundaries(GroupDesign(
        ...     horizon=1000, alpha=0.025, sided=1, power=0.9, fractions=(1 / 3, 2 / 3, 1.0),
        ...     spending=hwang_shih_decani(-4), futility=hwang_shih_decani(-2)))
        >>> [f"{z:.4f}" for z in plan.efficacy], [f"{z:.4f}" for z in plan.futility]
        (['3.0107', '2.5465', '1.9992'], ['-0.2387', '0.9411', '1.9992'])
    """
    looks = planned(design)
    lower = futile(design).low if design.futility else ()
    return Boundaries(
        fractions=looks.times,
        efficacy=looks.high,
        futility=lower,
        nominal=tuple(design.sided * float(special.ndtr(-z)) for z in looks.high),
        spent=tuple(design.sided * math.exp(log) for log in looks.log_spent),
    )


def operating(design: GroupDesign, drift: float) -> Operating:
    """
    Power and expected size under one effect.

    Stopping for futility is taken to be obeyed.

    Args:
        drift: Mean of z at the horizon: effect / standard error there.

    Source:
        Jennison and Turnbull (2000), ch. 2 and 19; checked against rpact and gsDesign.

    Example:
        >>> seen = operating(GroupDesign(horizon=1000), 2.8016)
        >>> f"{seen.power:.4f} {seen.expected:.4f}"
        '0.7903 0.8085'
    """
    number("drift", drift)
    looks = futile(design) if design.futility else planned(design)
    left = exits(looks, drift)
    stop = [up + down for up, down in left]
    stop[-1] = max(0.0, 1.0 - math.fsum(stop[:-1]))
    lost = math.fsum(down for _, down in left[:-1])
    return Operating(
        power=math.fsum(up for up, _ in left),
        harm=_harm(design, drift),
        futility=max(0.0, lost - _harm(design, drift)) if design.futility else 0.0,
        stop=tuple(stop),
        expected=math.fsum(p * t for p, t in zip(stop, looks.times, strict=True)),
    )


def drift_needed(design: GroupDesign, *, power: float | None = None) -> float:
    """
    Mean of z at the horizon with which the design reaches its power.

    Args:
        power: In place of the design's own.

    Example:
        rpact, asHSD with gammaA = 0 at 0.2, 0.4 and 1, alpha 0.03 and power 0.86: shift 9.4594101:

        >>> from flows.stats.sequential.group.spending import hwang_shih_decani
        >>> design = GroupDesign(horizon=1, alpha=0.03, sided=1, power=0.86, fractions=(0.2, 0.4, 1.0),
        ...     spending=hwang_shih_decani(0))
        >>> f"{drift_needed(design) ** 2:.6f}"
        '9.459410'
    """
    return _drift_needed(design, design.power if power is None else share("power", power))


def inflation(design: GroupDesign) -> float:
    """
    Horizon over the size that one look with the same alpha and power needs.

    Source:
        Jennison and Turnbull (2000), tables 2.2 and 2.4.

    Example:
        >>> f"{inflation(GroupDesign(horizon=1000, power=0.9)):.4f}"
        '1.0231'
    """
    single = -float(special.ndtri_exp(design.log_level)) + float(special.ndtri(design.power))
    return (drift_needed(design) / single) ** 2


def planned(design: GroupDesign) -> Walked:
    """Efficacy bounds at the planned looks."""
    return walked(design.fractions, design.fractions, design.log_level, design.sided, design.spending)


@lru_cache(maxsize=64)
def futile(design: GroupDesign) -> Walked:
    """Efficacy and futility bounds at the planned looks; they meet at the horizon."""
    looks = with_futility(
        planned(design),
        design.fractions,
        math.log1p(-design.power),
        drift_needed(design),
        design.futility or design.spending,
    )
    return looks._replace(low=(*looks.low[:-1], looks.high[-1]))


def _harm(design: GroupDesign, drift: float) -> float:
    if design.sided == 1:
        return 0.0
    return math.fsum(down for _, down in exits(planned(design), drift))


@lru_cache(maxsize=64)
def _drift_needed(design: GroupDesign, power: float) -> float:
    from scipy.optimize import brentq

    looks = planned(design)
    log_beta = math.log1p(-power)

    def excess(drift: float) -> float:
        spender = design.futility
        bounded = with_futility(looks, design.fractions, log_beta, drift, spender) if spender else looks
        return math.fsum(up for up, _ in exits(bounded, drift)) - power

    found: float = brentq(excess, 0.0, _WIDEST, xtol=1e-12, rtol=1e-13)
    return found
