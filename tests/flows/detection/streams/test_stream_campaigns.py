"""
What detectors promise, over millions of rows: `pytest -m long tests/flows/detection/streams`, about two minutes.

Bounds are those of the promise, not of what was seen: see docs/detection/streams.md for that.
"""

import math

import numpy as np
import pytest
from stream_making import errors, rates, wave

from flows.config.detection.streams import Streams
from flows.detection.streams.evidence import Before
from flows.detection.streams.scan import scan_changes

pytestmark = pytest.mark.long

OPTIONS = Streams()


def per_10k(make, streams, rows):
    dice = np.random.default_rng(2)
    return sum(len(scan_changes(make(dice), OPTIONS)) for _ in range(streams)) / (streams * rows) * 10_000


def autoregressive(dice, rows, near=0.8):
    level = dice.normal()
    steps = dice.normal(size=rows) * math.sqrt(1 - near * near)
    return np.array([level := near * level + step for step in steps.tolist()])


@pytest.mark.parametrize("level", [0.005, 0.02, 0.05, 0.15, 0.4, 0.7])
def test_false_alarms_among_independent_errors_stay_below_a_tenth_in_10k(level):
    assert per_10k(lambda dice: errors(rates(level), dice), 100, 10_000) <= 0.1


def test_the_run_length_holds_on_long_streams():
    found = per_10k(lambda dice: errors(rates(0.15, rows=200_000), dice), 15, 200_000)

    assert found <= 2 * 10_000 / OPTIONS.run_length


@pytest.mark.parametrize("copied", [0.3, 0.5, 0.8, 0.9, 0.95])
def test_false_alarms_among_clustered_errors_stay_below_one_in_10k(copied):
    assert per_10k(lambda dice: errors(rates(0.15), dice, copied=copied), 100, 10_000) <= 1


@pytest.mark.parametrize("kind", ["hidden level", "above a line", "real"])
def test_other_kinds_of_dependence_alarm_less_than_once_in_10k(kind):
    made = {
        "hidden level": lambda level, dice: dice.random(level.size) < 1 / (1 + np.exp(1.9 - level)),
        "above a line": lambda level, _: level > 1.036,
        "real": lambda level, _: level,
    }[kind]

    assert per_10k(lambda dice: made(autoregressive(dice, 10_000), dice).astype(float), 40, 10_000) <= 0.5


@pytest.mark.parametrize("period", [200, 500, 1_000])
def test_seasons_alarm_about_once_in_100k(period):
    assert per_10k(lambda dice: errors(wave(period=period), dice), 100, 10_000) <= 0.15


@pytest.mark.parametrize("draw", ["exponential", "normal", "lognormal", "student", "squared", "rare large"])
def test_false_alarms_among_real_losses_stay_below_a_tenth_in_10k(draw):
    def made(dice):
        return {
            "exponential": lambda: dice.exponential(size=10_000),
            "normal": lambda: np.abs(dice.normal(size=10_000)),
            "lognormal": lambda: dice.lognormal(size=10_000),
            "student": lambda: np.abs(dice.standard_t(3, size=10_000)),
            "squared": lambda: dice.beta(0.3, 2, 10_000) ** 2,
            "rare large": lambda: np.where(dice.random(10_000) < 0.05, dice.uniform(0.5, 1, 10_000), 0.01),
        }[draw]()

    assert per_10k(made, 100, 10_000) <= 0.1


@pytest.mark.parametrize(
    ("then", "copied", "known", "most"),
    [
        (0.2, 0.0, False, 1.15 * 1_274),
        (0.3, 0.0, False, 1.15 * 160),
        (0.2, 0.0, True, 1_274),
        (0.3, 0.0, True, 160),
        (0.3, 0.8, False, 2 * 1_219),
        (0.3, 0.8, True, 1.5 * 1_219),
    ],
)
def test_median_delays_keep_to_their_share_of_the_limit(then, copied, known, most):
    dice = np.random.default_rng(4)
    before = Before(mean=0.15, rows=20_000) if known else None
    delays = []
    for _ in range(100):
        found = scan_changes(errors(rates(0.15, then=then), dice, copied=copied), OPTIONS, before)
        delays.append(min((one.row - 4_999 for one in found if one.row >= 5_000), default=math.inf))

    assert np.median(delays) <= most
