import itertools
import math

import numpy as np
import pytest
from fusion_making import CALM, decided, drifted, evidence, make_config, priced
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.detection.fusion.calibration import DIRECTNESS
from flows.detection.fusion.decision import decide
from flows.detection.fusion.harm import assess, fused, reading_of
from flows.detection.fusion.severity import LEVELS
from flows.detection.fusion.shrinkage import posterior
from flows.detection.fusion.signals import Evidence, Signal

unhurried = settings(deadline=None)
harms, errors = st.floats(-0.5, 3), st.floats(0.001, 0.5)
signals = st.builds(priced, harms, errors, st.sampled_from(DIRECTNESS))
some = st.lists(signals, min_size=1, max_size=6)
broken = st.sampled_from([None, math.nan, math.inf, -math.inf])


def harm_of(found):
    return assess(Evidence(signals=tuple(found)), worth=0.05).harm


def level_of(found):
    return LEVELS.index(decide(make_config(), evidence(None, *found)).severity)


@unhurried
@given(some, st.data(), st.floats(0, 2))
def test_more_harm_in_a_signal_never_lowers_anything(found, data, more):
    which = data.draw(st.integers(0, len(found) - 1))
    one = found[which]
    if one.harm < 0:  # a reading below zero has another error; see the next laws
        one = priced(0.0, one.harm_error, one.kind)
    base = [*found[:which], one, *found[which + 1 :]]
    same_in_logs = one.harm_error / (1 + one.harm) * (1 + one.harm + more)
    worse = [*found[:which], priced(one.harm + more, same_in_logs, one.kind), *found[which + 1 :]]

    assert harm_of(worse) >= harm_of(base) - 1e-9
    assert level_of(worse) >= level_of(base)


@unhurried
@given(some, signals)
def test_a_further_signal_of_harm_never_lowers_anything(found, another):
    at_stake = harm_of(found)
    kinds = [DIRECTNESS.index(one.kind) for one in found]
    overrules = DIRECTNESS.index(another.kind) < max(kinds) and another.kind not in {one.kind for one in found}
    supposed = 0.03 if level_of(found) else 0.0  # severity MEDIUM, for drift that no label had told of
    less = reading_of(another).value < math.log1p(max(at_stake, supposed))
    if overrules and less:
        return  # a more direct look that sees less may calm

    assert harm_of([*found, another]) >= at_stake - 1e-9
    assert level_of([*found, another]) >= level_of(found)


@unhurried
@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, unique=True), st.floats(0, 1), st.floats(0, 1))
def test_more_drifted_features_never_lower_the_severity(names, size, share):
    weights = dict.fromkeys(names, share / len(names))
    few = decided(features=drifted(*names[:-1], size=size), weights=weights)
    more = decided(features=drifted(*names, size=size), weights=weights)

    assert LEVELS.index(more.severity) >= LEVELS.index(few.severity)


@unhurried
@given(some)
def test_the_order_of_the_signals_means_nothing(found):
    assert harm_of(found) == pytest.approx(harm_of(found[::-1]))
    assert decide(make_config(), evidence(None, *found)) == decide(make_config(), evidence(None, *found))


@unhurried
@given(some)
def test_the_harm_is_the_most_of_all_choices_of_one_reading_per_kind(found):
    readings = [reading_of(one) for one in found]
    kinds = [[r for r in readings if r.kind == kind] for kind in DIRECTNESS]
    present = [kind for kind in kinds if kind]
    chosen = [one for depth in range(1, len(present) + 1) for one in itertools.product(*present[:depth])]

    assert fused(readings).median == pytest.approx(max(fused(choice).median for choice in chosen))


def test_a_thousand_signals_are_weighed_quickly():
    many = [priced(0.1 + one / 1e4, 0.02, kind) for one in range(300) for kind in DIRECTNESS]

    assert harm_of(many) >= harm_of(many[-4:])


@unhurried
@given(st.floats(-1, 3), st.floats(0.001, 1), st.floats(0.001, 0.5))
def test_a_posterior_is_a_distribution_that_grows_with_the_reading(value, error, step):
    found, more = posterior(value, error), posterior(value + step, error)

    assert 0 <= found.nothing <= 1
    assert found.mean <= more.mean + 1e-9
    assert found.median <= more.median + 1e-9
    assert found.quantile(0.025) <= found.quantile(0.5) <= found.quantile(0.975)
    assert found.above(0.3) <= found.above(0.05) + 1e-9
    if found.quantile(0.975) > 1e-9:
        assert found.above(found.quantile(0.975)) == pytest.approx(0.025, abs=1e-6)


@unhurried
@given(st.dictionaries(st.sampled_from(sorted(CALM)), broken), broken, broken)
def test_what_is_not_a_number_triggers_nothing(metrics, harm, error):
    harmless = Signal(name="a", kind="concept", strength=math.nan, doubt=error, harm=harm, harm_error=error)
    infinite = {name: value for name, value in metrics.items() if value is None or math.isnan(value)}
    found = decided(infinite, harmless)

    assert not found.triggered
    assert found.severity == "LOW"
    assert 0 <= found.confidence <= 1


@unhurried
@given(some, st.integers(0, 8))
def test_every_decision_that_triggers_names_its_rule_and_a_cause(found, count):
    seen = decide(make_config(), evidence(None, *found, features=drifted(*"abcdefgh"[:count])))

    assert seen.triggered is (seen.rule is not None and seen.rule != "any drift")
    assert bool(seen.causes) or seen.rule is None
    assert seen.drift_type in ("none", "data", "concept", "both")


@unhurried
@given(some, st.floats(0.01, 0.98))
def test_confidence_grows_with_the_base_rate(found, rate):
    low, high = (assess(Evidence(signals=tuple(found)), worth=0.05, base_rate=r) for r in (rate, rate + 0.01))

    assert 0 <= low.confidence <= high.confidence <= 1


@pytest.mark.parametrize("harm", [1e308, -1e308, 5.0, 0.0])
def test_absurd_numbers_stay_within_bounds(harm):
    found = assess(Evidence(signals=(priced(harm, 1e308), priced(harm, 0.0))), worth=0.05)

    assert 0 <= found.low <= found.harm <= found.high < np.inf
