"""Realistic decisions with their evidence: what a manager would be shown."""

import functools
import math
from datetime import UTC, datetime

import numpy as np

from flows.reports.evidence import Arm, Evidence, TracePoint
from flows.stats.paired.binary import mcnemar
from flows.stats.paired.losses import paired_mean
from flows.stats.paired.ranking import auc, delong
from flows.stats.sequential.asymptotic import paired_sequence
from flows.stats.sequential.pairs import discordant_pairs
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.verdict import Decision, Finding

DAY = 86_400.0
START = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
AT = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ALWAYS = {"always_valid": True}


def bounded(value):
    return value if math.isfinite(value) else None


def finding(metric, role, effect, ours, theirs, passed, *, name="", threshold=None, repair="", **more):
    scale = abs(ours) or 1.0
    interval = f"[{effect.low:.4g}, {effect.high:.4g}]"
    said = f"{name or metric}: {effect.estimate:+.4g} {interval}, n = {effect.n} ({effect.method})"
    return Finding(
        name=name or metric,
        metric=metric,
        role=role,
        passed=passed,
        said=said,
        estimate=effect.estimate,
        low=bounded(effect.low),
        high=bounded(effect.high),
        p_value=effect.p_value,
        log_p=bounded(effect.log_p),
        n=effect.n,
        method=effect.method,
        threshold=threshold,
        champion=ours,
        challenger=theirs,
        lift=effect.estimate / scale,
        lift_low=bounded(effect.low / scale),
        lift_high=bounded(effect.high / scale),
        repair=repair,
        **more,
    )


def binary_rows(n, seed=1):
    """Leads that buy or not: labels, champion's and challenger's probabilities, times, regions."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1.2, 1.4, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(float)
    champion = 1 / (1 + np.exp(-0.75 * (truth + rng.normal(0, 1.15, n)) + 0.1))
    challenger = 1 / (1 + np.exp(-0.85 * (truth + rng.normal(0, 0.8, n))))
    regions = rng.choice(np.array(["north", "south", "east", "web"]), n, p=[0.4, 0.3, 0.2, 0.1])
    return labels, champion, challenger, np.sort(START + rng.random(n) * 14 * DAY), regions


def right(labels, scores):
    return ((scores >= 0.5) == (labels == 1)).astype(float)


@functools.cache
def holdout(n=12_000):
    """Better on the same rows, guardrails held."""
    y, ours, theirs, times, regions = binary_rows(n)
    a, b = right(y, ours), right(y, theirs)
    ours_loss, theirs_loss = -((ours - y) ** 2), -((theirs - y) ** 2)
    log_ours, log_theirs = (y * np.log(p) + (1 - y) * np.log(1 - p) for p in (ours, theirs))
    accuracy, brier = float(a.mean()), float(-ours_loss.mean())
    findings = [
        finding("accuracy", "primary", mcnemar(a, b), accuracy, float(b.mean()), True, threshold=0.0),
        finding("auc", "goal", delong(y, ours, theirs), auc(y, ours), auc(y, theirs), True, threshold=0.0),
        finding(
            "brier",
            "guardrail",
            paired_mean(ours_loss, theirs_loss),
            brier,
            float(-theirs_loss.mean()),
            True,
            threshold=-0.02 * brier,
        ),
        Finding(name="latency_ms", passed=None, said="latency_ms: is measured live", metric="latency_ms"),
        finding(
            "log_loss",
            "context",
            paired_mean(log_ours, log_theirs),
            float(-log_ours.mean()),
            float(-log_theirs.mean()),
            None,
        ),
        Finding(name="holdout period", passed=None, said="rows from 2026-03-02 00:01 to 2026-03-15 23:59", n=n),
    ]
    for region in ("north", "south", "east", "web"):
        at = regions == region
        name = f"region = {region}"
        findings.append(
            finding(
                "accuracy", "segment", mcnemar(a[at], b[at]), float(a[at].mean()), float(b[at].mean()), None, name=name
            )
        )
    decision = Decision(
        id="leads-0007-v1.4.0",
        model="leads",
        champion="v1.3.0",
        challenger="v1.4.0",
        kind="holdout",
        outcome="promote",
        headline=f"v1.4.0 against v1.3.0 on {n} held-out rows: accuracy {accuracy:.4g} -> {b.mean():.4g}: better",
        findings=tuple(findings),
        policy=PromotionPolicy(
            metric="accuracy",
            min_improvement=0.01,
            goals=("auc",),
            guardrails=(
                Guardrail(metric="brier", margin=0.02),
                Guardrail(metric="latency_ms", margin=5, relative=False),
            ),
        ),
        metrics={
            "champion": {"accuracy": accuracy, "auc": auc(y, ours), "brier": brier},
            "challenger": {"accuracy": float(b.mean()), "auc": auc(y, theirs), "brier": float(-theirs_loss.mean())},
        },
        power=0.986,
        flow={arm: {"held out": n + 400, "labelled": n, "matched": n} for arm in ("champion", "challenger")},
        identities={"data": DIGEST, "champion": DIGEST[:16], "challenger": DIGEST[16:32], "code": "understudy 0.1.0"},
        inputs=DIGEST,
        report="leads/leads-0007-v1.4.0.html",
        created_at=AT,
    )
    arms = {"champion": Arm(y, ours, times), "challenger": Arm(y, theirs, times)}
    return decision, Evidence("binary", True, arms)


@functools.cache
def shadow(n=2_600):
    """Still open: a little better so far."""
    y, ours, theirs, times, _ = binary_rows(40_000, seed=3)
    theirs = np.where(np.random.default_rng(4).random(y.size) < 0.35, theirs, ours)
    y, ours, theirs, times = y[:n], ours[:n], theirs[:n], START + np.sort(np.random.default_rng(5).random(n)) * 4 * DAY
    a, b = right(y, ours), right(y, theirs)
    trace = []
    for k in range(40, n + 1, 20):
        seen = discordant_pairs(int(np.sum(a[:k] > b[:k])), int(np.sum(b[:k] > a[:k])), k)
        phase = "r-0012.0" if k < 900 else "r-0012.0, router restarted"
        trace.append(TracePoint(float(times[k - 1]), k, seen.estimate, seen.low, seen.high, phase))
    seen = discordant_pairs(int(np.sum(a > b)), int(np.sum(b > a)), n)
    loss = paired_sequence(moments(-((theirs - y) ** 2) + (ours - y) ** 2), tuned_to=200)
    decision = Decision(
        id="r-0012.0-41",
        model="leads",
        champion="v1.3.0",
        challenger="v1.4.0",
        kind="shadow",
        outcome="continue",
        headline=f"v1.4.0 against v1.3.0 in shadow: no verdict yet, {seen.estimate:+.4g} on {n} pairs",
        findings=(
            finding(
                "accuracy",
                "primary",
                seen,
                float(a.mean()),
                float(b.mean()),
                None,
                threshold=0.0,
                repair="accuracy: an interval above 0",
                **ALWAYS,
            ),
            finding(
                "brier",
                "guardrail",
                loss,
                float(np.mean((ours - y) ** 2)),
                float(np.mean((theirs - y) ** 2)),
                None,
                threshold=-0.0005,
                repair="brier: an interval above -0.0005",
                **ALWAYS,
            ),
            Finding(
                name="coverage",
                passed=True,
                role="integrity",
                said="6170 of 6204 copies scored (99.5%; 34 queue_full)",
                n=6204,
            ),
            Finding(
                name="label rate",
                passed=None,
                role="integrity",
                said="42% of the requests are labelled so far",
                n=6204,
                repair="labels of at least 50% of the requests",
            ),
        ),
        policy=PromotionPolicy(
            metric="accuracy",
            min_improvement=0.01,
            guardrails=(Guardrail(metric="brier", margin=0.0005, relative=False),),
        ),
        metrics={"champion": {"accuracy": float(a.mean())}, "challenger": {"accuracy": float(b.mean())}},
        changes=("accuracy: an interval above 0", "brier: an interval above -0.0005"),
        more_needed=4_300,
        flow={
            "champion": {"assigned": 6204, "served": 6204, "labelled": n, "matched": n - 12},
            "challenger": {"assigned": 6204, "served": 6170, "labelled": n - 12, "matched": n - 12},
        },
        identities={"policy": DIGEST[:12]},
        report="leads/r-0012.0-41.html",
        created_at=AT,
    )
    arms = {"champion": Arm(y, ours, times), "challenger": Arm(y, theirs, times)}
    return decision, Evidence("binary", True, arms, tuple(trace), "accuracy")


@functools.cache
def split_rejected():
    """Better revenue, but too slow."""
    findings = (
        Finding(
            name="revenue",
            metric="revenue",
            role="primary",
            passed=True,
            said="revenue: lift +0.031 [0.004, 0.0588], always-valid p = 0.0210",
            estimate=0.031,
            low=0.004,
            high=0.0588,
            lift=0.031,
            lift_low=0.004,
            lift_high=0.0588,
            champion=41.2,
            challenger=42.48,
            n=18_450,
            p_value=0.021,
            log_p=math.log(0.021),
            method="asymptotic confidence sequence on the log ratio",
            always_valid=True,
            threshold=0.0,
        ),
        Finding(
            name="latency_ms",
            metric="latency_ms",
            role="guardrail",
            passed=False,
            said="latency_ms: -11.8 [-12.9, -10.7], always-valid p = 10^-87.2",
            estimate=-11.8,
            low=-12.9,
            high=-10.7,
            lift=-11.8 / 24,
            lift_low=-12.9 / 24,
            lift_high=-10.7 / 24,
            champion=24.0,
            challenger=35.8,
            n=18_450,
            log_p=-200.8,
            p_value=6e-88,
            method="asymptotic confidence sequence",
            always_valid=True,
            threshold=-5.0,
            repair="latency_ms: an interval above -5",
        ),
        Finding(
            name="error_rate",
            metric="error_rate",
            role="guardrail",
            passed=True,
            said="error_rate: -0.0001 [-0.0009, 0.0007]",
            estimate=-0.0001,
            low=-0.0009,
            high=0.0007,
            champion=0.0021,
            challenger=0.0022,
            lift=-0.0001 / 0.0021,
            lift_low=-0.0009 / 0.0021,
            lift_high=0.0007 / 0.0021,
            n=18_450,
            threshold=-0.005,
            always_valid=True,
            method="empirical-Bernstein confidence sequence",
            log_p=0.0,
            p_value=1.0,
        ),
        Finding(
            name="sample ratio",
            role="integrity",
            passed=True,
            n=37_012,
            said="split of 37012 requests deviates by 0.15% from the plan (always-valid p = 1)",
            p_value=1.0,
            log_p=0.0,
        ),
    )
    decision = Decision(
        id="r-0013.2-9",
        model="offers",
        champion="v2.0.1",
        challenger="v2.1.0",
        kind="split",
        outcome="reject",
        headline="v2.1.0 against v2.0.1 live: guardrail latency_ms is surely beyond its margin of 5",
        findings=findings,
        policy=PromotionPolicy(
            metric="revenue",
            guardrails=(
                Guardrail(metric="latency_ms", margin=5, relative=False),
                Guardrail(metric="error_rate", margin=0.005, relative=False),
            ),
        ),
        metrics={"champion": {"revenue": 41.2}, "challenger": {"revenue": 42.48}},
        changes=("another challenger: more data would not help this one",),
        flow={
            "champion": {"assigned": 18_534, "served": 18_534, "labelled": 18_511},
            "challenger": {"assigned": 18_478, "served": 18_430, "labelled": 18_450},
        },
        report="offers/r-0013.2-9.html",
        created_at=AT,
    )
    rng = np.random.default_rng(9)
    trace = tuple(
        TracePoint(
            START + k * DAY / 8,
            200 * k,
            0.031 + rng.normal(0, 0.03 / math.sqrt(k)),
            0.031 - 0.26 / math.sqrt(k) if k > 1 else -math.inf,
            0.031 + 0.26 / math.sqrt(k) if k > 1 else math.inf,
            "10 % of callers" if k < 40 else "50 % of callers",
        )
        for k in range(1, 93)
    )
    return decision, Evidence("binary", False, {}, trace, "revenue")


@functools.cache
def split_invalid():
    """The callers were not dealt as planned."""
    decision, _ = split_rejected()
    import msgspec

    broken = Finding(
        name="sample ratio",
        role="integrity",
        passed=False,
        n=37_012,
        said="52.1% of 37012 requests went to the challenger instead of 50% (always-valid p = 10^-12.3)",
        log_p=-28.3,
        p_value=5e-13,
        repair="find out why requests of the champion are missing, e.g. lost events or a forced variant",
    )
    return msgspec.structs.replace(
        decision,
        id="r-0013.2-10",
        outcome="invalid",
        headline=f"v2.1.0 against v2.0.1 live: {broken.said}",
        findings=(broken, msgspec.structs.replace(decision.findings[0], passed=None)),
        changes=(broken.repair,),
    ), None


@functools.cache
def regression(n=5_000):
    """Errors are surely smaller, but not by enough to promote by itself."""
    rng = np.random.default_rng(11)
    times = START + np.sort(rng.random(n)) * 14 * DAY
    y = np.exp(rng.normal(5, 0.5, n))
    drift = (times - START) / DAY
    ours = y * np.exp(rng.normal(0, 0.14, n)) - 1.1 * drift
    theirs = y * np.exp(rng.normal(0, 0.133, n))
    mae = [float(np.mean(np.abs(p - y))) for p in (ours, theirs)]
    effect = paired_mean(-np.abs(ours - y), -np.abs(theirs - y))
    squared = paired_mean(-((ours - y) ** 2), -((theirs - y) ** 2))
    rmse = [float(np.sqrt(np.mean((p - y) ** 2))) for p in (ours, theirs)]
    half = 2 * rmse[0]
    from dataclasses import replace

    in_units = replace(squared, estimate=squared.estimate / half, low=squared.low / half, high=squared.high / half)
    decision = Decision(
        id="bikes-0003-v3.2.0",
        model="bikes",
        champion="v3.1.0",
        challenger="v3.2.0",
        kind="holdout",
        outcome="needs_approval",
        headline=f"v3.2.0 against v3.1.0 on {n} held-out rows: mae {mae[0]:.4g} -> {mae[1]:.4g}: better, but by less",
        findings=(
            finding("mae", "primary", effect, *mae, True, threshold=0.0),
            finding("rmse", "context", in_units, *rmse, None),
        ),
        policy=PromotionPolicy(metric="mae", min_improvement=0.15),
        metrics={"champion": {"mae": mae[0], "rmse": rmse[0]}, "challenger": {"mae": mae[1], "rmse": rmse[1]}},
        changes=("an improvement of at least 15%, or the consent of people",),
        power=0.71,
        identities={"data": DIGEST},
        report="bikes/bikes-0003-v3.2.0.html",
        created_at=AT,
    )
    arms = {"champion": Arm(y, ours, times), "challenger": Arm(y, theirs, times)}
    return decision, Evidence("regression", True, arms)


def moments(values):
    mean = float(np.mean(values))
    return len(values), mean, float(np.sum((values - mean) ** 2))


SAMPLES = {
    "holdout": holdout,
    "shadow": shadow,
    "split-rejected": split_rejected,
    "split-invalid": split_invalid,
    "regression": regression,
}
