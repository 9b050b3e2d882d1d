"""From here to the horizon: how likely a decision is, and how much longer it takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flows.stats.sequential.group.bounds import Walked, exits, fixed_bounds
from flows.stats.sequential.group.design import GroupDesign
from flows.stats.sequential.group.monitor import GroupLook


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """
    What is to come under one true effect, given what was seen.

    Attributes:
        effect: In the metric's unit.
        win: Chance of ending with a better challenger (conditional power).
        harm: Chance of ending with a worse one; 0 for one side.
        expected_more: Mean information still to come until the test ends.
        most: Information to come if it goes on to the horizon.
    """

    effect: float
    win: float
    harm: float
    expected_more: float
    most: float


def outlook(design: GroupDesign, seen: GroupLook, *, effect: float | None = None) -> Outlook | None:
    """
    Look ahead from the latest look, at the planned looks still to come.

    Stopping for futility is not counted on.

    Args:
        design: As given to `monitor`.
        seen: Its answer.
        effect: True effect to assume; the observed one by default, which is optimistic when
            little was seen.

    Returns:
        None before the first look, or without a variance: there is nothing to look ahead from.

    Source:
        Jennison and Turnbull (2000), ch. 10 (stochastic curtailment); agrees with rpact's
        conditional rejection probabilities.

    Example:
        >>> from flows.stats.sequential.group.monitor import monitor
        >>> plan = GroupDesign(horizon=1000)
        >>> seen = monitor(plan, [(400, 0.016, 0.008)])
        >>> ahead = outlook(plan, seen)
        >>> f"{ahead.win:.3f} {ahead.expected_more:.0f} of at most {ahead.most:.0f}"
        '0.937 374 of at most 600'
    """
    if seen.look == 0 or not 0 < seen.error < math.inf:
        return None
    assumed = seen.observed if effect is None else effect
    if seen.finished or not seen.next_bounds:
        return _over(seen, assumed)
    drift = assumed / (seen.error * math.sqrt(seen.fraction))
    times, bounds = zip(*seen.next_bounds, strict=True)
    left = exits(shifted(times, bounds, sided=design.sided, time=seen.fraction, z=seen.z), drift)
    stops = [up + down for up, down in left]
    stops[-1] = max(0.0, 1 - math.fsum(stops[:-1]))
    more = math.fsum(p * (t - seen.fraction) for p, t in zip(stops, times, strict=True))
    return Outlook(
        effect=assumed,
        win=math.fsum(up for up, _ in left),
        harm=math.fsum(down for _, down in left),
        expected_more=more * design.horizon,
        most=(times[-1] - seen.fraction) * design.horizon,
    )


def shifted(times: Sequence[float], high: Sequence[float], *, sided: int, time: float, z: float) -> Walked:
    """
    Bounds to come, as a walk that begins at the latest look.

    Args:
        times: Shape (k,). Information at the looks to come, above *time*.
        high: Shape (k,). Bounds of z there; the lower ones are their negatives if sided is 2.
        time: Information so far.
        z: At the latest look.
    """
    here = z * math.sqrt(time)
    gaps = [t - time for t in times]
    up = [(b * math.sqrt(t) - here) / math.sqrt(g) for t, b, g in zip(times, high, gaps, strict=True)]
    down = [(-b * math.sqrt(t) - here) / math.sqrt(g) for t, b, g in zip(times, high, gaps, strict=True)]
    return fixed_bounds(gaps, down if sided == 2 else [-math.inf] * len(up), up)


def _over(seen: GroupLook, effect: float) -> Outlook:
    return Outlook(
        effect=effect,
        win=float(seen.crossed == "efficacy"),
        harm=float(seen.crossed == "harm"),
        expected_more=0.0,
        most=0.0,
    )
