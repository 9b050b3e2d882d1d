"""How often the router takes a good new champion off: at most as often as alpha says."""

import math

import numpy as np
import pytest
from router_making import AT

from registry.records.live import Moments, PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.watch import PlanWatch, WatchLimits
from router.guards import LATENCY_SLACK_MS, falls_behind
from router.watch import BaselineWatch, ErrorWatch, Evidence

pytestmark = [pytest.mark.long, pytest.mark.timeout(280)]
ALPHA = 0.05


def most(watches):
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / watches)


def moments(values):
    return Moments(n=len(values), mean=float(values.mean()), m2=float(values.var() * len(values)))


def test_latency_at_the_limit_itself():
    """500 watches of 100 looks: each at a mean of exactly half as much again and 10 ms."""
    rng, watches, looks, each, alarms = np.random.default_rng(3), 500, 100, 200, 0
    for _ in range(watches):
        before = moments(rng.lognormal(2.0, 0.5, size=2000))
        truth = float(np.exp(2.0 + 0.125)) * 1.5 + LATENCY_SLACK_MS
        values = np.minimum(rng.lognormal(0.0, 0.5, size=looks * each) * truth / np.exp(0.125), 250.0)
        sums, squares = values.cumsum(), (values**2).cumsum()
        watch = BaselineWatch(before, 0.5, ALPHA, 250.0)
        ends = range(each - 1, looks * each, each)
        alarms += any(watch.alarmed(Evidence(n + 1, 0, n + 1, float(sums[n]), float(squares[n]))) for n in ends)

    print(f"latency: {alarms} of {watches} watches ({watches * looks} looks) at alpha {ALPHA}")
    assert alarms / watches <= most(watches)


def test_a_loss_exactly_as_good():
    """1,000 watches of 50 looks, at half of alpha."""
    rng, watches, looks, each, alarms = np.random.default_rng(4), 1000, 50, 100, 0
    watch = PlanWatch(id="w-1", former="v1.0.0", until=AT, limits=WatchLimits(alpha=ALPHA))
    for _ in range(watches):
        values = rng.normal(0.0, 0.1, size=(looks, each))
        total, alarmed = Moments(), False
        for batch in values:
            total = total.merge(moments(batch))
            alarmed = alarmed or falls_behind(_phase(total), watch) is not None
        alarms += alarmed

    print(f"loss: {alarms} of {watches} watches ({watches * looks} looks) at alpha {ALPHA / 2}")
    assert alarms / watches <= most(watches)


def test_errors_below_the_limit():
    """500 watches of 1,000 looks and 100,000 requests each, at an error rate of half the limit, alpha 0.001."""
    rng, watches, looks, each, alarms = np.random.default_rng(5), 500, 1000, 100, 0
    for _ in range(watches):
        failed = rng.binomial(each, 0.01, size=looks).cumsum()
        watch = ErrorWatch(0.02, 0.001)
        alarms += any(watch.alarmed(Evidence((n + 1) * each, int(failed[n]))) for n in range(looks))

    print(f"errors: {alarms} of {watches} watches ({watches * looks} looks) at a rate of 1 %")
    assert alarms <= 3


def _phase(total):
    champion = VariantMetrics(version="v1.1.0", loss=Moments(n=total.n, mean=0.2, m2=0.01 * total.n))
    former = ShadowMetrics(version="v1.0.0", pairs=total.n, loss_difference=total)
    return PhaseMetrics(
        phase="p", first_epoch=2, last_epoch=2, variants={"champion": champion}, shadows={"v1.0.0": former}
    )
