"""Counts and moments of a phase are what one gets by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_making import Index, observed, predicted, shadowed

from router.index.summary import moments

CHALLENGER = {"assigned": "challenger", "assigned_version": "v1.1.0"}


@pytest.fixture
def index(tmp_path):
    return Index(tmp_path)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_moments_agree_with_the_definition(values):
    found = moments(np.array(values))

    mean = math.fsum(values) / len(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(mean, abs=1e-6)
    assert found.m2 == pytest.approx(math.fsum((value - mean) ** 2 for value in values), rel=1e-6, abs=1e-3)


def test_a_fallback_counts_for_the_variant_that_was_drawn(index):
    index.take(
        predicted("p", **CHALLENGER, served="champion", error="deadline", latency_ms=250.0),
        predicted("q", **CHALLENGER, served="challenger"),
        observed("o", prediction_id="p", value=0.0),
    )

    [phase] = index.metrics().phases
    challenger = phase.variants["challenger"]
    assert set(phase.variants) == {"challenger"}
    assert (challenger.assigned, challenger.served, challenger.fallbacks) == (2, 1, {"deadline": 1})
    assert (challenger.loss.n, challenger.loss.mean, challenger.correct.mean) == (1, 0.25, 0.0)


def test_an_error_of_the_champion_is_told_apart_from_a_fallback(index):
    index.take(predicted("p", score=None, prediction=None, failed=True, error="champion_raised"))

    champion = index.metrics().phases[0].variants["champion"]
    assert (champion.assigned, champion.served, champion.errors) == (1, 0, {"champion_raised": 1})
    assert champion.score.n == 0


def test_forced_keys_stay_out_of_the_statistics_but_in_the_log(index):
    index.take(predicted("p", reason="forced", enrolled=False), observed("o", prediction_id="p"))

    metrics = index.metrics()
    assert metrics.predictions == 1
    assert metrics.phases[0].variants == {}


def test_beside_a_challenger_only_those_who_take_part_are_compared(index):
    outsider = {"enrolled": False, "reason": "missing_key", "key": None}
    labels = [observed(f"o{id_}", prediction_id=id_, value=0.0) for id_ in ("in", "out", "other")]
    revenue = observed("r", prediction_id="out", metric="revenue", value=9.0)
    index.take(predicted("in", score=0.25), predicted("out", score=0.75, **outsider), *labels, revenue)
    [alone] = index.metrics().phases

    index.take(predicted("other", **CHALLENGER, served="challenger"))

    [beside] = index.metrics().phases
    assert (alone.variants["champion"].served, alone.variants["champion"].loss.n) == (2, 2)
    assert (beside.variants["champion"].assigned, beside.variants["champion"].served) == (1, 1)
    assert (beside.variants["champion"].loss.mean, beside.variants["champion"].outcomes) == (0.0625, {})
    assert beside.variants["challenger"].loss.n == 1


def test_the_time_of_rows_answered_together_counts_once(index):
    index.take(*(predicted(f"p{place}", place=place, latency_ms=4.0) for place in range(5)))

    assert index.metrics().phases[0].variants["champion"].latency_ms.n == 1


def test_a_stopped_challenger_has_no_latency(index):
    index.take(predicted("p", **CHALLENGER, served="champion", error="stopped", latency_ms=0.0))

    challenger = index.metrics().phases[0].variants["challenger"]
    assert (challenger.latency_ms.n, challenger.latency_quantiles) == (0, {})


def test_a_kpi_is_kept_apart_from_the_label(index):
    index.take(
        predicted("p"),
        observed("l", prediction_id="p", value=1.0),
        observed("r", prediction_id="p", value=49.9, metric="revenue"),
    )

    champion = index.metrics().phases[0].variants["champion"]
    assert champion.outcomes["revenue"].mean == 49.9
    assert set(champion.outcomes) == {"revenue"}
    assert champion.loss.mean == 0.25


def test_every_copy_of_a_shadow_is_scored_dropped_failed_or_outstanding(index):
    index.take(*(predicted(id_, shadows=("v1.1.0",)) for id_ in "pqrs"))
    index.take(
        shadowed("p", score=0.25, prediction=0),
        shadowed("q", score=None, prediction=None, dropped="lag"),
        shadowed("r", score=None, prediction=None, error="raised"),
        observed("o", prediction_id="p", value=0.0),
    )

    shadow = index.metrics().phases[0].shadows["v1.1.0"]
    assert (shadow.copies, shadow.scored, shadow.dropped, shadow.errors) == (4, 1, {"lag": 1}, {"raised": 1})
    assert (shadow.flips, shadow.pairs, shadow.challenger_only_right, shadow.champion_only_right) == (1, 1, 1, 0)
    assert shadow.loss_difference.mean == pytest.approx(0.25 - 0.0625)


def test_a_copy_scored_twice_counts_once(index):
    index.take(predicted("p", shadows=("v1.1.0",)), shadowed("p", score=0.25), shadowed("p", score=0.75))

    shadow = index.metrics().phases[0].shadows["v1.1.0"]
    assert (shadow.scored, shadow.difference.mean) == (1, -0.25)


def test_a_phase_knows_its_first_and_last_epoch_even_if_somebody_looked_in_between(index):
    index.take(predicted("p", epoch=1), predicted("q", epoch=3))
    index.reader.phase("m", "first", 3, 3)

    [phase] = index.metrics().phases
    assert (phase.first_epoch, phase.last_epoch) == (1, 3)


def test_the_copies_of_a_shadow_add_up(index):
    index.take(*(predicted(id_, shadows=("v1.1.0",)) for id_ in "pqrstu"))
    index.take(
        predicted("failed", shadows=("v1.1.0",), failed=True, score=None, prediction=None),
        shadowed("p"),
        shadowed("q", score=None, prediction=None, dropped="lag"),
        shadowed("r", score=None, prediction=None, error="raised"),
        shadowed("s", score=None, prediction=None),
        shadowed("failed"),
    )

    shadow = index.metrics().phases[0].shadows["v1.1.0"]
    assert (shadow.copies, shadow.scored, shadow.pending) == (7, 1, 2)
    assert (shadow.dropped, shadow.errors) == ({"lag": 1}, {"raised": 1, "incomparable": 2})


def test_a_shadow_is_held_against_what_was_served(index):
    served = [(0.2, 0, 4.0), (0.4, 0, 2.0), (0.6, 1, 1.0), (0.8, 1, 3.0)]
    for n, (score, prediction, latency) in enumerate(served):
        values = {"score": score, "prediction": prediction, "latency_ms": latency}
        index.take(predicted(f"p{n}", shadows=("v1.1.0",), **values, **(CHALLENGER if n == 3 else {})))
    for n, (score, prediction) in enumerate([(0.2, 0), (0.7, 1), (0.3, 0), (0.9, 1)]):
        index.take(shadowed(f"p{n}", score=score, prediction=prediction, latency_ms=10.0 + n))

    shadow = index.metrics().phases[0].shadows["v1.1.0"]
    assert (shadow.flips, shadow.flips_up, shadow.flips_down) == (2, 1, 1)
    assert (shadow.difference.n, shadow.difference.mean) == (4, pytest.approx(0.025))
    assert shadow.difference_most == pytest.approx(0.3)
    assert shadow.difference_quantiles["p1"] == pytest.approx(-0.3)
    assert shadow.difference_quantiles["p99"] == pytest.approx(0.3)
    assert (shadow.latency_ms.mean, shadow.latency_quantiles["p99"]) == (11.5, 13.0)
    assert (shadow.served_latency_ms.n, shadow.served_latency_quantiles["p99"]) == (3, 4.0)
    assert (sum(shadow.scores.values()), sum(shadow.served_scores.values())) == (4, 4)
    assert shadow.ks == pytest.approx(0.25)
    assert shadow.psi > 0


def test_a_champion_beside_itself_shows_no_difference(index):
    index.take(*(predicted(f"p{n}", score=n / 10, shadows=("v1.0.0",)) for n in range(10)))
    index.take(*(shadowed(f"p{n}", version="v1.0.0", score=n / 10, prediction=1) for n in range(10)))

    shadow = index.metrics().phases[0].shadows["v1.0.0"]
    assert (shadow.psi, shadow.ks, shadow.flips, shadow.difference_most) == (0.0, 0.0, 0, 0.0)


def test_conversions_revenue_and_ratings_are_measured_beside_the_score(index):
    for n in range(4):
        index.take(predicted(f"p{n}", key=f"k{n}", score=n / 4))
    index.take(
        *(observed(f"c{n}", prediction_id=f"p{n}", metric="converted", value=float(n > 1)) for n in range(4)),
        *(observed(f"r{n}", prediction_id=f"p{n}", metric="revenue", value=100.0 * n) for n in (2, 3)),
        observed("s", key="k3", metric="rating", value=5.0),
        observed("l", prediction_id="p3", value=1.0),
    )

    champion = index.metrics().phases[0].variants["champion"]
    assert {name: (seen.n, seen.mean) for name, seen in champion.outcomes.items()} == {
        "converted": (4, 0.5),
        "revenue": (2, 250.0),
        "rating": (1, 5.0),
    }
    assert {name: seen.n for name, seen in champion.joint.items()} == {
        "converted": 4,
        "revenue": 2,
        "rating": 1,
        "label": 1,
    }
    converted = champion.joint["converted"]
    assert (converted.mean_x, converted.mean_y, converted.co) == (0.375, 0.5, 0.5)
    assert champion.scores == {"0.0": 1, "0.25": 1, "0.5": 1, "0.75": 1}
    assert champion.latencies == {"0.0883883": 4}
