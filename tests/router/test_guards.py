"""Guards stop what is bad, and seldom what is good."""

import math

import numpy as np
import pytest

from registry.records.live import Moments, PhaseMetrics, VariantMetrics
from registry.records.plan import Guards
from router.guards import exceeds, log_error_evidence, trips

GUARDS = Guards(error_rate=0.02, alpha=0.01)


def moments(values):
    values = np.asarray(values, dtype=float)
    return Moments(n=values.size, mean=float(values.mean()), m2=float(((values - values.mean()) ** 2).sum()))


def phase(champion=None, challenger=None):
    return PhaseMetrics(
        phase="p",
        first_epoch=1,
        last_epoch=1,
        weights={"champion": 500_000, "challenger": 500_000},
        variants={
            "champion": VariantMetrics(version="v1.0.0", **(champion or {"served": 100})),
            "challenger": VariantMetrics(version="v1.1.0", **(challenger or {"served": 100})),
        },
        shadows={},
    )


def crossings(rate, *, runs, requests, rng):
    """Share of runs whose evidence ever crosses the threshold, looked at after every request."""
    # More failures are more evidence, so the fewest that cross are all one needs of each length.
    fewest, least = [], 0
    for n in range(1, requests + 1):
        while log_error_evidence(least, n, 0.02) < -math.log(0.01):
            least += 1
        fewest.append(least)
    failures = np.cumsum(rng.random((runs, requests)) < rate, axis=1)
    return (failures >= np.array(fewest)).any(axis=1).mean()


def ever(rate, requests):
    """Exact probability that the evidence ever crosses, looked at after every request, with the defaults."""
    now, alarms, least = np.zeros(400), 0.0, 0
    now[0] = 1.0
    for n in range(1, requests + 1):
        now[1:] = now[1:] * (1 - rate) + now[:-1] * rate
        now[0] *= 1 - rate
        while log_error_evidence(least, n, 0.02) < -math.log(0.001):
            least += 1
        alarms += now[least:].sum()
        now[least:] = 0.0
    return alarms


def test_the_default_guard_sounds_less_than_one_false_alarm_in_ten_million_healthy_phases():
    # After 1,000 requests it grows no more in the first six digits: an error rate of 1 % drifts away from the alarm.
    assert ever(0.01, 2000) < 1e-7


def test_the_default_guard_keeps_alpha_at_what_is_just_tolerated():
    assert ever(0.02, 5000) < 0.001


def test_a_tolerated_error_rate_sounds_no_alarm_however_often_one_looks():
    # At most alpha = 1 %; with 2000 runs, four standard errors above that are 1.9 %.
    assert crossings(0.02, runs=2000, requests=1000, rng=np.random.default_rng(0)) <= 0.019


def test_more_failures_are_more_evidence_and_more_successes_less():
    for n in range(1, 200):
        evidence = [log_error_evidence(failures, n, 0.02) for failures in range(n + 1)]
        assert evidence == sorted(evidence)
        assert log_error_evidence(1, n + 1, 0.02) < log_error_evidence(1, n, 0.02)


def test_a_challenger_that_fails_every_fifth_request_is_found():
    assert crossings(0.2, runs=1000, requests=200, rng=np.random.default_rng(1)) >= 0.99


def test_a_challenger_that_always_fails_is_found_within_a_few_requests():
    found = next(n for n in range(1, 50) if trips(phase(challenger={"errors": {"raised": n}}), GUARDS))

    assert found <= 8


def test_fallbacks_count_as_failures_but_not_those_of_a_stopped_challenger():
    assert trips(phase(challenger={"fallbacks": {"deadline": 10}}), GUARDS)
    assert trips(phase(challenger={"fallbacks": {"stopped": 1000}, "served": 10}), GUARDS) is None


def test_the_reason_names_the_challenger_and_the_numbers():
    said = trips(phase(challenger={"fallbacks": {"deadline": 10}, "served": 10}), GUARDS)

    assert said == "challenger v1.1.0: 10 of 20 requests failed, more than the 2.0% allowed"


@pytest.mark.parametrize(("worse", "expected"), [(1.0, False), (1.05, False), (2.0, True)])
def test_only_a_loss_surely_beyond_the_tolerated_rise_is_stopped(worse, expected):
    rng = np.random.default_rng(2)
    losses = rng.random((2, 4000))

    ours, theirs = ({"served": 4000, "loss": moments(values)} for values in (losses[0], worse * losses[1]))

    assert bool(trips(phase(ours, theirs), GUARDS)) == expected


def test_a_falling_kpi_is_stopped_where_it_is_guarded():
    rng = np.random.default_rng(3)
    ours = {"served": 2000, "outcomes": {"revenue": moments(rng.normal(100, 10, 2000))}}
    theirs = {"served": 2000, "outcomes": {"revenue": moments(rng.normal(70, 10, 2000))}}

    assert "mean revenue" in (trips(phase(ours, theirs), Guards(kpi="revenue")) or "")
    assert trips(phase(ours, theirs), Guards(kpi="visits")) is None


def test_few_values_decide_nothing():
    ours, theirs = {"served": 5, "loss": moments([0.0] * 5)}, {"served": 5, "loss": moments([9.0, 8.0, 9.5, 9.1, 9.2])}

    assert trips(phase(ours, theirs), GUARDS) is None


def test_a_millisecond_more_is_no_reason_and_fifty_are():
    rng = np.random.default_rng(4)
    ours = {"served": 2000, "latency_ms": moments(rng.gamma(2, 0.1, 2000))}
    near = {"served": 2000, "latency_ms": moments(rng.gamma(2, 0.5, 2000))}
    far = {"served": 2000, "latency_ms": moments(rng.gamma(2, 25, 2000))}

    assert trips(phase(ours, near), GUARDS) is None
    assert "mean latency" in (trips(phase(ours, far), GUARDS) or "")


def squared_errors(rng, base, said, spread, n):
    """Of scores near *said*, where a share *base* of the labels is 1."""
    scores = np.clip(rng.normal(said, spread, n), 0.0001, 0.9999)
    return (scores - (rng.random(n) < base)) ** 2


def binary(losses):
    """Of a model whose answers are classes, as its labels are."""
    return {"served": losses.size, "loss": moments(losses), "correct": moments(losses < 0.25)}


def ever_stopped(champion, challenger):
    """Whether any look at the growing phase, at every tenth label, sounds the alarm."""
    return any(
        trips(phase(binary(champion[:n]), binary(challenger[:n])), Guards())
        for n in range(30, min(champion.size, challenger.size), 10)
    )


@pytest.mark.parametrize(("base", "said"), [(0.01, 0.013), (0.02, 0.03), (0.005, 0.006), (0.3, 0.33)])
def test_a_challenger_about_as_good_is_left_alone_even_where_the_event_is_rare(base, said):
    # Before the first event all losses are tiny, and differ by much more than the tolerated tenth.
    rng = np.random.default_rng(5)
    runs = [
        ever_stopped(squared_errors(rng, base, base, base / 5, 400), squared_errors(rng, base, said, base / 5, 400))
        for _ in range(60)
    ]

    assert sum(runs) == 0


@pytest.mark.parametrize("base", [0.05, 0.3])
def test_a_challenger_that_says_the_opposite_is_stopped_within_a_hundred_labels(base):
    rng = np.random.default_rng(6)
    labels = rng.random((2, 40, 100)) < base
    right, wrong = np.where(labels[0], 0.04, 0.01), np.where(labels[1], 0.9, 0.7)

    assert all(ever_stopped(ours, theirs) for ours, theirs in zip(right, wrong, strict=True))


@pytest.mark.parametrize("draw", [lambda rng, n: rng.random(n), lambda rng, n: rng.lognormal(0, 1.5, n)])
def test_a_loss_at_the_very_edge_of_what_is_tolerated_sounds_few_alarms_however_often_one_looks(draw):
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(100):
        ours, theirs = draw(rng, 400), 1.1 * draw(rng, 400)
        alarms += any(exceeds(moments(ours[:n]), moments(theirs[:n]), 0.10, alpha=0.05) for n in range(30, 401, 10))

    assert alarms <= 12  # 5 % of 100, and three standard errors
