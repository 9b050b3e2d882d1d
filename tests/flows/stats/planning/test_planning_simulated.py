"""What was planned is what happens: every design, played many times with the tests themselves."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import betaln

from flows.stats.planning.designs import designs
from flows.stats.planning.question import Question
from flows.stats.sequential import mixture
from flows.stats.sequential.arms import arms
from flows.stats.sequential.group.bounds import efficacy_bounds
from flows.stats.sequential.group.spending import obrien_fleming

pytestmark = pytest.mark.long
RUNS = 10_000
ACCURACY = Question(kind="rate", champion=0.85, effect=0.02, discordance=0.06)
UNEVEN = Question(kind="rate", champion=0.85, effect=0.02, discordance=0.06, share=0.1)
LOSS = Question(kind="mean", champion=0.12, effect=0.01, sd=0.2, correlation=0.7)


def sized(question):
    return {one.name: one for one in designs(question)}


def told(name, power, expected, design):
    print(f"{name}: planned {design.labels:,} ({design.expected:,}); power {power:.3f}, on average {expected:,.0f}")
    return power == pytest.approx(0.8, abs=0.025) and expected == pytest.approx(design.expected, rel=0.035)


def test_one_look_at_discordant_rows_has_its_power():
    rng, design = np.random.default_rng(1), sized(ACCURACY)["holdout, paired"]
    x = rng.multinomial(design.labels, [0.04, 0.02, 0.94], size=RUNS)
    fewer, m = np.minimum(x[:, 0], x[:, 1]), x[:, 0] + x[:, 1]
    p = 2 * stats.binom.cdf(fewer, m, 0.5) - stats.binom.pmf(fewer, m, 0.5)

    assert told("holdout, McNemar mid-p", float(np.mean(p <= 0.05)), design.labels, design)


def test_the_e_process_in_shadow_waits_as_planned():
    rng, design = np.random.default_rng(2), sized(ACCURACY)["shadow, always-valid"]
    firsts = []
    for _ in range(RUNS // 1000):
        won = np.cumsum(rng.random((1000, 1200)) < 2 / 3, axis=1)
        m = np.arange(1, 1201)
        e = betaln(1 + won, 1 + m - won) + m * math.log(2)
        right = (e >= math.log(20)) & (2 * won > m)
        firsts.append(np.argmax(right, axis=1) + 1)
    first = np.concatenate(firsts)
    requests = first + rng.negative_binomial(first, 0.06)

    assert told("shadow, e-process", float(np.mean(requests <= design.labels)), float(requests.mean()), design)


@pytest.mark.parametrize("question", [ACCURACY, UNEVEN], ids=["50/50", "90/10"])
def test_one_look_at_a_split_has_its_power(question):
    rng, design = np.random.default_rng(3), sized(question)["A/B, one look"]
    a, b = rng.binomial(design.champion, 0.85, RUNS), rng.binomial(design.challenger, 0.87, RUNS)
    p, q, pooled = a / design.champion, b / design.challenger, (a + b) / design.labels
    z = (q - p) / np.sqrt(pooled * (1 - pooled) * (1 / design.champion + 1 / design.challenger))

    assert told("A/B, one look", float(np.mean(np.abs(z) >= 1.959964)), design.labels, design)


@pytest.mark.parametrize("question", [ACCURACY, UNEVEN], ids=["50/50", "90/10"])
def test_looks_at_a_split_end_as_planned(question):
    rng, design = np.random.default_rng(4), sized(question)["A/B, group sequential"]
    bounds = efficacy_bounds([(k + 1) / 10 for k in range(10)], spending=obrien_fleming())
    sizes = [np.diff(np.round(np.linspace(0, n, 11))).astype(int) for n in (design.champion, design.challenger)]
    a, b = (np.cumsum(rng.binomial(n, p, (RUNS, 10)), axis=1) for n, p in zip(sizes, (0.85, 0.87), strict=True))
    n1, n2 = (np.cumsum(n) for n in sizes)
    p, q = a / n1, b / n2
    hit = (q - p) / np.sqrt(p * (1 - p) / n1 + q * (1 - q) / n2) >= bounds
    at = np.where(hit.any(axis=1), np.argmax(hit, axis=1), 9)

    assert told("A/B, group sequential", float(np.mean(hit.any(axis=1))), float((n1 + n2)[at].mean()), design)


@pytest.mark.parametrize("question", [ACCURACY, UNEVEN], ids=["50/50", "90/10"])
def test_the_always_valid_split_waits_as_planned(question):
    rng, plan = np.random.default_rng(5), sized(question)
    design, tuned = plan["A/B, always-valid"], plan["A/B, one look"]
    step = max(1, round(design.challenger / 200))
    n2 = step * np.arange(1, 801)
    n1 = np.round(n2 / question.ratio)
    grown = np.diff(n1, prepend=0.0).astype(int)
    a, b = (
        np.cumsum(rng.binomial(grown, 0.85, (2000, 800)), axis=1),
        np.cumsum(rng.binomial(step, 0.87, (2000, 800)), axis=1),
    )
    p, q, pooled = a / n1, b / n2, (a + b) / (n1 + n2)
    seen = arms(n1, p * (1 - p), n2, q * (1 - q), pooled * (1 - pooled))
    time_of_one_look = tuned.labels / design.labels * float(np.median(seen.time[:, 199]))
    half = mixture.radius(seen.error, seen.time, alpha=0.05, tuned_to=time_of_one_look)
    hit = (q - p >= half) & (np.minimum(n1, n2) >= 30)
    at = np.argmax(hit, axis=1)
    total = n1 + n2

    assert told(
        "A/B, always-valid", float(np.mean(total[at] <= design.labels * 1.005)), float(total[at].mean()), design
    )


def test_the_sequence_of_losses_waits_as_planned():
    rng, plan = np.random.default_rng(6), sized(LOSS)
    design, tuned = plan["shadow, always-valid"], plan["holdout, paired"].labels
    sd, firsts = 0.2 * math.sqrt(2 * 0.3), []
    n = np.arange(1, 4 * design.labels + 1)
    error = sd / np.sqrt(n)
    half = mixture.radius(error, n, alpha=0.05, tuned_to=tuned)
    half[:99] = np.inf
    for _ in range(20):
        mean = np.cumsum(rng.normal(0.01, sd, (500, n.size)), axis=1) / n
        firsts.append(np.argmax(mean >= half, axis=1) + 1)
    first = np.concatenate(firsts)

    assert told("shadow, losses", float(np.mean(first <= design.labels)), float(first.mean()), design)
