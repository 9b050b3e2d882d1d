"""Stop, go on, or give up hope: the looks really taken against their bounds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scipy import special

from flows.stats.results import probability
from flows.stats.sequential.group.bounds import MIN_GAIN, Walked, walked
from flows.stats.sequential.group.design import GroupDesign, drift_needed, planned
from flows.stats.sequential.group.futility import with_futility
from flows.stats.sequential.group.inference import log_nominal, repeated_log_p, stagewise
from flows.stats.tails import log_two_sided_t

Crossed = Literal["efficacy", "harm", "futility"]
_NEAR_ZERO = 1e-6


class Look(NamedTuple):
    """
    What was known at one look.

    Attributes:
        information: In the unit of the design's horizon, as a rule labelled requests so far.
        estimate: Challenger minus champion, of everything so far; more is better.
        error: Its standard error.
        freedom: Degrees of freedom of the standard error. With few rows z is then the normal
            quantile of Student's p-value, which keeps early looks from stopping too often.
    """

    information: float
    estimate: float
    error: float
    freedom: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLook:
    """
    What a group sequential test says at its latest look.

    While it runs, the interval is the repeated confidence interval and the p-value the repeated
    one: both hold at all looks together. Once it has ended they are those of the stagewise order,
    and the estimate is the median-unbiased one.

    Attributes:
        method: Spending function, sides, and what interval and p-value are.
        estimate: In the metric's unit.
        low, high: Of confidence 1 - alpha (two-sided design) or 1 - 2 alpha (one-sided).
        p_value: Of as many sides as the design; above 0.
        log_p: Natural logarithm of the p-value.
        n: Information at the look, as a whole number.
        crossed: Which bound was reached; None when none was.
        finished: Whether the test is over: a bound was reached, or the horizon.
        look: Number of the look that decides, from 1.
        fraction: Of the horizon.
        z: Estimate over standard error, or the normal quantile of Student's p-value.
        bound: Of z at this look, above and (two-sided) below.
        futility: Bound of z for futility; None when there is none here.
        observed: The plain estimate.
        error: Its standard error; that which goes with z, where degrees of freedom were given.
        nominal_p: As if this look had been the only one; not to be judged by.
        spent: Share of alpha used up so far.
        next_bounds: Fraction of the horizon and bound at each planned look still to come.
        note: What a reader must know.
    """

    method: str
    estimate: float
    low: float
    high: float
    p_value: float
    log_p: float
    n: int
    crossed: Crossed | None
    finished: bool
    look: int
    fraction: float
    z: float
    bound: float
    futility: float | None
    observed: float
    error: float
    nominal_p: float
    spent: float
    next_bounds: tuple[tuple[float, float], ...]
    note: str = ""


def monitor(design: GroupDesign, looks: Sequence[tuple[float, ...]], *, final: bool = False) -> GroupLook:
    """
    Judge the looks taken so far; the last one is that of today.

    The bounds are recomputed for the times at which looks really were taken, so looks may be
    left out, added or moved, as long as that does not depend on what was seen. A look without new
    information is not counted. The first look that reaches its bound decides; later ones are
    not used. A futility bound is only looked at on the last look: whoever went on past an
    earlier one did so without harm to the type I error.

    Args:
        design: Declared before the first look.
        looks: (information, estimate, standard error) at each look, of all data up to there; a
            fourth number is its degrees of freedom, as of `Look`.
        final: No more data will come though the horizon is not reached (under-running): this look
            may spend all that is left of alpha. A look beyond the horizon (over-running) does so
            by itself, with its real information.

    Returns:
        Before the first label: an unbounded interval and a note.

    Raises:
        ValueError: If a number is NaN or infinite, a standard error negative, or information
            shrinks from look to look.

    Source:
        Lan and DeMets (1989), Biometrics 45:1017-1020 (changed looks); Jennison and Turnbull
        (2000), ch. 7.2, 8.5, 9; over- and under-running as in rpact's boundary update.

    Example:
        >>> plan = GroupDesign(horizon=1000)
        >>> seen = monitor(plan, [(210, 0.010, 0.0100), (395, 0.016, 0.0072), (640, 0.017, 0.0057)])
        >>> seen.crossed, f"{seen.z:.3f} {seen.bound:.3f}", f"{seen.estimate:.4f}"
        ('efficacy', '2.982 2.579', '0.0169')
    """
    counted, dropped = _counted([_look(k, *given) for k, given in enumerate(looks)])
    if not counted:
        return _nothing_yet(design, len(dropped))
    seen, notes = _judged(design, counted, final=final)
    return _report(design, seen, "; ".join([*_dropped_note(dropped), *notes, *_flat_note(seen.look)]))


class _Seen(NamedTuple):
    """The looks up to the one that decides; which that is, and what it decides."""

    look: Look
    taken: Walked
    zs: tuple[float, ...]
    spent_at: tuple[float, ...]
    crossed: Crossed | None
    futility: float | None


def _judged(design: GroupDesign, counted: list[Look], *, final: bool) -> tuple[_Seen, list[str]]:
    times = tuple(look.information / design.horizon for look in counted)
    spent_at = tuple(min(1.0, time) for time in times)
    if final:
        spent_at = (*spent_at[:-1], 1.0)
    zs = tuple(_z(look) for look in counted)
    bounds = walked(times, spent_at, design.log_level, design.sided, design.spending)
    decides = _first_reached(bounds, zs)
    at = _last_counting(decides, spent_at)
    taken = bounds.until(at)
    open_still = decides is None and spent_at[at] < 1
    hopeless = _futility(design, taken, spent_at[: at + 1]) if open_still else None
    crossed = _crossed(zs[at], reached=decides is not None, hopeless=hopeless)
    seen = _Seen(counted[at], taken, zs[: at + 1], spent_at[: at + 1], crossed, hopeless)
    return seen, _ending_note(counted, decides, at, times)


def _report(design: GroupDesign, seen: _Seen, note: str) -> GroupLook:
    look, taken = seen.look, seen.taken
    z, time = seen.zs[-1], taken.times[-1]
    finished = seen.crossed is not None or seen.spent_at[-1] >= 1
    estimate, low, high, log_p = _ended(design, seen) if finished else _running(design, seen)
    what = "stagewise interval and p" if finished else "repeated interval and p"
    return GroupLook(
        method=f"{_name(design)}, {what}",
        estimate=estimate,
        low=low,
        high=high,
        p_value=probability(log_p),
        log_p=log_p,
        n=round(look.information),
        crossed=seen.crossed,
        finished=finished,
        look=len(seen.zs),
        fraction=time,
        z=z,
        bound=taken.high[-1],
        futility=seen.futility,
        observed=look.estimate,
        error=_error(look, z),
        nominal_p=probability(log_nominal(z, design.sided)),
        spent=min(design.alpha, design.sided * math.exp(taken.log_spent[-1])),
        next_bounds=() if finished else _next_bounds(design, taken.times, seen.spent_at),
        note=note,
    )


def _ended(design: GroupDesign, seen: _Seen) -> tuple[float, float, float, float]:
    look = seen.look
    if look.error == 0:
        return look.estimate, -math.inf, math.inf, 0.0
    found = stagewise(seen.taken, seen.zs[-1], confidence=1 - 2 * design.alpha / design.sided)
    # Drift is the mean of z at the horizon; at this look that of z is drift * sqrt(time).
    unit = math.sqrt(seen.taken.times[-1]) * _error(look, seen.zs[-1])
    return found.estimate * unit, found.low * unit, found.high * unit, found.log_p


def _running(design: GroupDesign, seen: _Seen) -> tuple[float, float, float, float]:
    look = seen.look
    log_p = repeated_log_p(seen.taken, seen.zs, spending=design.spending, spent_at=seen.spent_at, sided=design.sided)
    reach = _reach(look, seen.taken.high[-1])
    return look.estimate, look.estimate - reach, look.estimate + reach, log_p


def _name(design: GroupDesign) -> str:
    return f"group sequential, {design.spending.family} spending, {design.sided}-sided"


def _futility(design: GroupDesign, taken: Walked, spent_at: tuple[float, ...]) -> float | None:
    """Futility bound at the last look; None when the design has none."""
    if design.futility is None:
        return None
    bounded = with_futility(taken, spent_at, math.log1p(-design.power), drift_needed(design), design.futility)
    return bounded.low[-1]


def _next_bounds(
    design: GroupDesign, times: tuple[float, ...], spent_at: tuple[float, ...]
) -> tuple[tuple[float, float], ...]:
    ahead = tuple(t for t in design.fractions if t > times[-1] * (1 + 2 * MIN_GAIN))
    if not ahead:
        return ()
    all_looks = walked((*times, *ahead), (*spent_at, *ahead), design.log_level, design.sided, design.spending)
    return tuple(zip(ahead, all_looks.high[len(times) :], strict=True))


def _first_reached(bounds: Walked, zs: tuple[float, ...]) -> int | None:
    reached = (z >= high or z <= low for z, low, high in zip(zs, bounds.low, bounds.high, strict=True))
    return next((k for k, hit in enumerate(reached) if hit), None)


def _last_counting(decides: int | None, spent_at: tuple[float, ...]) -> int:
    """The look that reached a bound, or else the one at the horizon, or else the last."""
    horizon = next((k for k, time in enumerate(spent_at) if time >= 1), len(spent_at) - 1)
    return horizon if decides is None else decides


def _crossed(z: float, *, reached: bool, hopeless: float | None) -> Crossed | None:
    if reached:
        return "efficacy" if z > 0 else "harm"
    return "futility" if hopeless is not None and z <= hopeless else None


def _counted(looks: list[Look]) -> tuple[list[Look], list[int]]:
    """Looks that add information, and the numbers of those that do not."""
    counted: list[Look] = []
    dropped: list[int] = []
    for k, look in enumerate(looks):
        before = counted[-1].information if counted else 0.0
        if look.information < before * (1 - MIN_GAIN):
            raise ValueError(
                f"looks: information falls from {before} to {look.information} at look {k + 1}; "
                "give looks in the order they were taken, each of all data so far"
            )
        if look.information - before > MIN_GAIN * look.information:
            counted.append(look)
        else:
            dropped.append(k + 1)
    return counted, dropped


def _look(k: int, information: float, estimate: float, error: float, freedom: float = math.inf) -> Look:
    named = {"information": information, "estimate": estimate, "standard error": error}
    bad = [f"{name} is {value}" for name, value in named.items() if not math.isfinite(value)]
    bad += [f"{name} is {named[name]}" for name in ("information", "standard error") if named[name] < 0]
    if not freedom > 0:
        bad.append(f"freedom is {freedom}")
    if bad:
        raise ValueError(f"looks: {', '.join(bad)} at look {k + 1}; leave out looks without a number")
    return Look(float(information), float(estimate), float(error), float(freedom))


def _z(look: Look) -> float:
    if look.error == 0:
        return 0.0
    t = look.estimate / look.error
    if math.isinf(look.freedom):
        return t
    return math.copysign(-float(special.ndtri_exp(log_two_sided_t(t, look.freedom) - math.log(2))), t)


def _error(look: Look, z: float) -> float:
    """Standard error that goes with z: wider than that of the look when degrees of freedom are few."""
    if math.isinf(look.freedom):
        return look.error
    if abs(z) > _NEAR_ZERO:
        return look.estimate / z
    half = look.freedom / 2
    return look.error * math.sqrt(half) * math.exp(float(special.gammaln(half) - special.gammaln(half + 0.5)))


def _reach(look: Look, bound: float) -> float:
    """How far the repeated interval reaches: the estimates that would not have reached the bound."""
    if look.error == 0:
        return math.inf
    if math.isinf(look.freedom):
        return bound * look.error
    return -float(special.stdtrit(look.freedom, float(special.ndtr(-bound)))) * look.error


def _nothing_yet(design: GroupDesign, looks: int) -> GroupLook:
    return GroupLook(
        method=_name(design),
        estimate=0.0,
        low=-math.inf,
        high=math.inf,
        p_value=1.0,
        log_p=0.0,
        n=0,
        crossed=None,
        finished=False,
        look=0,
        fraction=0.0,
        z=0.0,
        bound=math.inf,
        futility=None,
        observed=0.0,
        error=math.inf,
        nominal_p=1.0,
        spent=0.0,
        next_bounds=tuple(zip(design.fractions, planned(design).high, strict=True)),
        note=f"no information at any of {looks} looks" if looks else "no look yet",
    )


def _dropped_note(dropped: list[int]) -> list[str]:
    if not dropped:
        return []
    shown = ", ".join(map(str, dropped[:5])) + (", ..." if len(dropped) > 5 else "")
    return [f"looks without new information are not counted: {shown}"]


def _ending_note(counted: list[Look], decides: int | None, at: int, times: tuple[float, ...]) -> list[str]:
    if at + 1 < len(counted):
        why = "reached its bound" if decides is not None else "was at the horizon"
        return [f"look {at + 1} {why}; {len(counted) - at - 1} later looks are not used"]
    return [f"information is {times[at]:.1%} of the horizon"] if times[at] > 1 else []


def _flat_note(look: Look) -> list[str]:
    return [] if look.error > 0 else ["no variance: z is taken as 0 and nothing is bounded"]
