"""The limits of a watch, tested however often one looks."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from flows.reports.incidents.limits import judge
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, UnitMoments, VariantMetrics
from registry.records.watch import Baseline, Watch, WatchLimits

AT = datetime(2026, 1, 1, tzinfo=UTC)
BASELINE = Baseline(
    requests=5000, errors=10, latency_ms=20.0, latency_m2=5000 * 25.0, kpi_mean=2.0, kpi_m2=5000.0, kpi_n=5000
)
WATCH = Watch(
    id="w-0001",
    model="m",
    version="v2.0.0",
    former="v1.0.0",
    phase="r-0001.promoted",
    began_at=AT,
    until=AT + timedelta(days=2),
    limits=WatchLimits(kpi="revenue"),
    baseline=BASELINE,
)


def moments(n, mean, sd):
    return Moments(n=n, mean=mean, m2=sd**2 * max(n - 1, 0))


def seen(n=2000, failed=10, ms=21.0, kpi=2.0, worse=0.0, version="v2.0.0", phase="r-0001.promoted", units=None):
    champion = VariantMetrics(
        version=version,
        assigned=n,
        served=n - failed,
        errors={"champion_raised": failed},
        latency_ms=moments(n, ms, 5.0),
        loss=moments(n, 0.2, 0.1),
        outcomes={"revenue": moments(n, kpi, 1.0)},
    )
    former = ShadowMetrics(
        version="v1.0.0", copies=n, scored=n, pairs=n, loss_difference=moments(n, worse, 0.1), units=units or {}
    )
    one = PhaseMetrics(
        phase=phase, first_epoch=3, last_epoch=3, variants={"champion": champion}, shadows={"v1.0.0": former}
    )
    return ModelMetrics(model="m", epoch=3, phases=(one,))


def verdicts(metrics, **limits):
    watch = msgspec.structs.replace(WATCH, limits=msgspec.structs.replace(WATCH.limits, **limits))
    return {figure.name: figure.broken for figure in judge(watch, metrics)}


FINE = {"errors": False, "latency": False, "kpi": False, "loss": False}


def test_a_champion_like_the_one_before_keeps_every_limit():
    assert verdicts(seen()) == FINE


@pytest.mark.parametrize(
    ("bad", "broken"),
    [
        ({"failed": 100}, "errors"),
        ({"ms": 45.0}, "latency"),
        ({"kpi": 1.6}, "kpi"),
        ({"worse": 0.02}, "loss"),
    ],
)
def test_each_limit_is_broken_by_its_own_number_alone(bad, broken):
    assert verdicts(seen(**bad)) == FINE | {broken: True}


@pytest.mark.parametrize("near", [{"failed": 42}, {"ms": 38.0}, {"kpi": 1.82}, {"worse": 0.003}])
def test_what_is_within_a_limit_or_just_beyond_it_is_not_broken_yet(near):
    assert verdicts(seen(**near)) == FINE


def test_too_little_data_concludes_nothing():
    assert verdicts(seen(n=20, failed=0)) == {"errors": None, "latency": None, "kpi": None, "loss": None}
    assert verdicts(ModelMetrics(model="m", epoch=3)) == {"errors": None, "latency": None, "kpi": None, "loss": None}


def test_without_a_baseline_only_errors_and_the_paired_loss_are_judged():
    blind = msgspec.structs.replace(WATCH, baseline=Baseline())

    found = {figure.name: figure.broken for figure in judge(blind, seen(failed=100, ms=500.0, kpi=0.1, worse=0.02))}

    assert found == {"errors": True, "latency": None, "kpi": None, "loss": True}


def test_a_tolerated_rise_of_the_loss_is_tolerated():
    assert verdicts(seen(worse=0.02), accuracy_drop=0.2)["loss"] is False
    assert verdicts(seen(worse=0.10), accuracy_drop=0.2)["loss"] is True


def test_phases_before_the_promotion_and_of_other_champions_do_not_count():
    bad = seen(failed=500, phase="r-0001.2").phases
    back = seen(failed=500, phase="rollback.4", version="v1.0.0").phases
    fine = seen()

    assert verdicts(msgspec.structs.replace(fine, phases=(*bad, *fine.phases, *back))) == FINE


def test_a_new_rollout_meanwhile_adds_its_phases():
    more = seen(failed=300, phase="r-0002.0").phases
    fine = seen(failed=0)

    assert verdicts(msgspec.structs.replace(fine, phases=(*fine.phases, *more)))["errors"] is True


def test_callers_who_come_back_are_counted_by_caller():
    rng = np.random.default_rng(1)
    sums = rng.normal(0.0, 10.0, size=40) + 2.0  # 40 callers with 50 requests each, alike within a caller
    units = UnitMoments(n=40, mean_x=50.0, mean_y=float(sums.mean()), m2_x=0.0, m2_y=float(sums.var() * 40), co=0.0)

    assert verdicts(seen(worse=0.02, units={"loss": units}))["loss"] is not True


def test_numbers_say_what_was_seen():
    said = {figure.name: figure.said for figure in judge(WATCH, seen(failed=100, worse=0.02))}

    assert said["errors"] == "100 of 2000 requests failed (5.00%, allowed 2.0%)"
    assert said["latency"] == "mean latency 21.0 ms against 20.0 ms before (allowed 50% and 10 ms more)"
    assert said["loss"] == "mean loss +0.02 against v1.0.0 on the same 2000 labelled requests (none is allowed)"


@pytest.mark.long
def test_false_alarms_over_many_looks_stay_within_alpha():
    """
    200 watches of 60 looks at a champion that is exactly as good, at alpha 0.05 instead of 0.001.

    Each quantity may alarm in at most alpha / 2 of the watches; 3 standard errors are allowed for chance.
    """
    rng, watches, looks, each = np.random.default_rng(7), 200, 60, 100
    alarms = {"errors": 0, "latency": 0, "kpi": 0, "loss": 0}
    for _ in range(watches):
        before = rng.gamma(4.0, 5.0, size=2000), rng.exponential(2.0, size=2000)
        watch = msgspec.structs.replace(
            WATCH,
            limits=WatchLimits(kpi="revenue", alpha=0.05, latency_increase=0.5, kpi_drop=0.10),
            baseline=Baseline(
                requests=2000,
                latency_ms=float(before[0].mean()),
                latency_m2=float(before[0].var() * 2000),
                kpi_mean=float(before[1].mean()),
                kpi_m2=float(before[1].var() * 2000),
                kpi_n=2000,
            ),
        )
        totals = [Moments(), Moments(), Moments()]
        failed, alarmed = 0, set()
        for number in range(1, looks + 1):
            drawn = rng.gamma(4.0, 7.5, size=each) + 10, rng.exponential(1.8, size=each), rng.normal(0, 0.1, size=each)
            totals = [
                total.merge(Moments(n=each, mean=float(x.mean()), m2=float(x.var() * each)))
                for total, x in zip(totals, drawn, strict=True)
            ]
            failed += rng.binomial(each, 0.02)
            alarmed |= {f.name for f in judge(watch, _drawn(number * each, failed, totals)) if f.broken}
        for name in alarmed:
            alarms[name] += 1

    shares = {name: n / watches for name, n in alarms.items()}
    print(f"{watches} watches x {looks} looks at the limit itself: {shares}")
    most = 0.025 + 3 * (0.025 * 0.975 / watches) ** 0.5
    assert all(share <= most for share in shares.values())


def _drawn(n, failed, totals):
    latency, kpi, worse = totals
    champion = VariantMetrics(
        version="v2.0.0",
        assigned=n,
        served=n,
        errors={"champion_raised": int(failed)},
        latency_ms=latency,
        loss=moments(n, 0.2, 0.1),
        outcomes={"revenue": kpi},
    )
    former = ShadowMetrics(version="v1.0.0", pairs=n, loss_difference=worse)
    one = PhaseMetrics(
        phase="r-0001.promoted",
        first_epoch=3,
        last_epoch=3,
        variants={"champion": champion},
        shadows={"v1.0.0": former},
    )
    return ModelMetrics(model="m", epoch=3, phases=(one,))


@pytest.mark.parametrize("nothing", [float("nan"), float("inf")])
@pytest.mark.parametrize(("bad", "blind"), [("kpi", "kpi"), ("worse", "loss"), ("ms", "latency")])
def test_a_number_that_is_none_hides_itself_and_nothing_else(nothing, bad, blind):
    figures = {figure.name: figure for figure in judge(WATCH, seen(**{bad: nothing, "failed": 500}))}

    assert figures[blind].broken is None
    assert [name for name, figure in figures.items() if figure.blind] == [blind]
    assert figures["errors"].broken
