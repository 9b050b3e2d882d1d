"""A slice fails a version only if its loss is above the allowed one by more than chance."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from validation_making import a_config, a_frame, a_holdout, a_version

from flows.validation.checks.slices import losses_of, slices

ALL = {"name": "all", "where": "age is not null"}


def judged(labels, champion, challenger, **rules):
    n = len(labels)
    holdout = a_holdout(frame=a_frame(n), labels=labels, champion=champion, challenger=challenger)
    section = a_config(**{"slices": [ALL]} | rules).validation
    (check, *_) = slices(SimpleNamespace(rules=section, version=a_version(), holdout=holdout))
    return check


def guesses(dice, n, noise):
    """Labels, and two models that see the truth through noise of the same size."""
    logit = dice.normal(0, 1.5, n)
    labels = (dice.random(n) < 1 / (1 + np.exp(-logit))).astype(float)
    return labels, *(1 / (1 + np.exp(-(logit + dice.normal(0, noise, n)))) for _ in range(2))


@given(seed=st.integers(0, 2**32), n=st.integers(100, 400))
def test_a_version_that_says_the_same_as_the_champion_never_fails(seed, n):
    labels, champion, _ = guesses(np.random.default_rng(seed), n, 0.3)

    assert judged(labels, champion, champion).passed


@given(seed=st.integers(0, 2**32))
def test_more_is_allowed_by_a_wider_margin(seed):
    labels, champion, challenger = guesses(np.random.default_rng(seed), 200, 2.0)
    narrow, wide = (judged(labels, champion, challenger, slice_loss=share) for share in (0.05, 0.5))

    assert wide.passed or not narrow.passed


def test_rows_that_the_champion_has_learned_from_are_left_out():
    labels, champion, _ = guesses(np.random.default_rng(0), 400, 0.3)
    holdout = a_holdout(frame=a_frame(400), labels=labels, champion=champion, challenger=1 - champion, unseen=150)
    section = a_config(slices=[ALL]).validation
    (check,) = slices(SimpleNamespace(rules=section, version=a_version(), holdout=holdout))

    assert not check.passed
    assert check.said.startswith("150 rows: loss ")


def test_losses_are_those_of_the_monitoring():
    assert losses_of("binary", np.array([1.0]), np.array([0.8])) == pytest.approx([0.04])
    assert losses_of("regression", np.array([10.0]), np.array([7.0])) == pytest.approx([3.0])
    several = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    assert losses_of("multiclass", np.array([1.0, 2.0]), several).tolist() == [0.0, 1.0]


@pytest.mark.long
@pytest.mark.parametrize("n", [100, 300, 1000])
def test_chance_fails_one_in_twenty_that_are_as_bad_as_allowed(n):
    dice, failed, repeats = np.random.default_rng(n), {0.0: 0, 0.1: 0, 0.3: 0}, 1000
    for _ in range(repeats):
        labels, champion, rival = guesses(dice, n, 0.3)  # equally good: only the noise differs
        for worse in failed:
            distance = np.abs(labels - rival) * np.sqrt(1 + worse)
            failed[worse] += not judged(labels, champion, labels - distance).passed
    print({worse: count / repeats for worse, count in failed.items()})

    assert failed[0.0] / repeats < 0.01
    assert failed[0.1] / repeats < 0.075
    assert failed[0.3] / repeats > 0.6
