"""Sufficient statistics per phase and variant, from the index."""

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.version import Task

_ROWS = """
SELECT p.assigned, p.assigned_version, p.served, p.score, p.prediction, p.latency_ms, p.error, p.failed, p.enrolled,
    p.reason, o.value AS label, p.place, p.shadows
FROM predictions p LEFT JOIN outcomes o ON o.model = p.model AND o.prediction_id = p.id AND o.metric = 'label'
WHERE p.model = ? AND p.phase = ?
"""
_SPLIT = "SELECT 1 FROM predictions WHERE model = ? AND phase = ? AND enrolled AND assigned != 'champion' LIMIT 1"
# CROSS JOIN keeps the order: the rows of one phase first, not all outcomes of the model.
_KPIS = """
SELECT p.assigned, o.metric, o.value
FROM predictions p CROSS JOIN outcomes o ON o.model = p.model AND o.prediction_id = p.id
WHERE p.model = ? AND p.phase = ? AND o.metric != 'label' AND p.reason != 'forced' AND p.enrolled >= ?
"""
_SHADOWS = """
SELECT s.version, s.score, s.prediction, s.latency_ms, s.dropped, s.error, p.score AS served, p.prediction AS answer,
    o.value AS label
FROM predictions p CROSS JOIN shadows s ON s.model = p.model AND s.id = p.id
LEFT JOIN outcomes o ON o.model = p.model AND o.prediction_id = p.id AND o.metric = 'label'
WHERE p.model = ? AND p.phase = ?
"""


class Welford:
    """Running n, mean and M2 (Welford 1962); never raw sums of squares."""

    __slots__ = ("m2", "mean", "n")

    def __init__(self) -> None:
        self.n, self.mean, self.m2 = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        """Take one value in."""
        self.n += 1
        delta = value - self.mean
        self.mean += delta / self.n
        self.m2 += delta * (value - self.mean)

    def moments(self) -> Moments:
        """As a record."""
        return Moments(n=self.n, mean=self.mean, m2=self.m2)


class MetricsReader:
    """
    Compute the metrics document; phases that did not change are not computed again.

    Args:
        task_of: Task of a model, so that loss and correctness are defined.
        weights_of: Parts per million per variant of a phase's newest plan.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        task_of: Callable[[str], Task],
        weights_of: Callable[[str, str], dict[str, int]],
    ) -> None:
        self._db, self._task_of, self._weights_of = connection, task_of, weights_of
        self._known: dict[tuple[str, str], PhaseMetrics] = {}

    def forget(self, dirty: Iterable[tuple[str, str]]) -> None:
        """These phases changed."""
        for pair in dirty:
            self._known.pop(pair, None)

    def model(self, model: str, epoch: int, unlogged: int = 0) -> ModelMetrics:
        """Everything of one model, phases newest last."""
        phases = self._db.execute(
            "SELECT phase, MIN(epoch), MAX(epoch), COUNT(*) FROM predictions WHERE model = ?"
            " GROUP BY phase ORDER BY MIN(epoch)",
            (model,),
        ).fetchall()
        counts = dict(self._db.execute("SELECT name, n FROM counts WHERE model = ?", (model,)).fetchall())
        newest = self._db.execute("SELECT MAX(seq) FROM predictions WHERE model = ?", (model,)).fetchone()[0]
        return ModelMetrics(
            model=model,
            epoch=epoch,
            phases=tuple(self.phase(model, phase, first, last) for phase, first, last, _ in phases),
            predictions=sum(row[3] for row in phases),
            unlogged=unlogged,
            outcomes=counts,
            sequence=newest or 0,
        )

    def phase(self, model: str, phase: str, first: int, last: int) -> PhaseMetrics:
        """One phase, from the cache if nothing changed."""
        pair = (model, phase)
        if pair not in self._known:
            self._known[pair] = self._compute(model, phase, first, last)
        return msgspec.structs.replace(self._known[pair], first_epoch=first, last_epoch=last)

    def _compute(self, model: str, phase: str, first: int, last: int) -> PhaseMetrics:
        task = self._task_of(model)
        variants: dict[str, _Variant] = {}
        copies: dict[str, int] = defaultdict(int)
        # Callers who take no part are all the champion's: beside a challenger they would bend the comparison.
        split = self._db.execute(_SPLIT, (model, phase)).fetchone() is not None
        for row in self._db.execute(_ROWS, (model, phase)):
            if row[9] != "forced" and row[8] >= split:
                variants.setdefault(row[0], _Variant(row[1])).add(row, task)
            for version in json.loads(row[12]):
                copies[version] += 1
        for assigned, metric, value in self._db.execute(_KPIS, (model, phase, split)):
            variants[assigned].outcomes[metric].add(value)
        shadows = {version: _Shadow(n) for version, n in copies.items()}
        for row in self._db.execute(_SHADOWS, (model, phase)):
            shadows.setdefault(row[0], _Shadow(0)).add(row, task)
        return PhaseMetrics(
            phase=phase,
            first_epoch=first,
            last_epoch=last,
            weights=self._weights_of(model, phase),
            variants={name: variant.metrics() for name, variant in variants.items()},
            shadows={version: shadow.metrics(version) for version, shadow in shadows.items()},
        )


def loss(task: Task, score: float, label: float) -> float:
    """Squared error of the probability (Brier), or absolute error."""
    return (score - label) ** 2 if task == "binary" else abs(score - label)


class _Variant:
    def __init__(self, version: str) -> None:
        self.version = version
        self.assigned = self.served = 0
        self.fallbacks: dict[str, int] = defaultdict(int)
        self.errors: dict[str, int] = defaultdict(int)
        self.latencies: list[float] = []
        self.latency, self.score, self.loss, self.correct = Welford(), Welford(), Welford(), Welford()
        self.outcomes: dict[str, Welford] = defaultdict(Welford)

    def add(self, row: Any, task: Task) -> None:
        assigned, _, served, score, prediction, latency, error, failed, enrolled, _, label, place, _ = row
        self.assigned += bool(enrolled)
        self.served += served == assigned and not failed
        if failed:
            self.errors[error or "unknown"] += 1
        elif error is not None:
            self.fallbacks[error] += 1
        if place == 0 and error != "stopped":
            self.latency.add(latency)
            self.latencies.append(latency)
        if score is not None:
            self.score.add(score)
            if label is not None:
                self.loss.add(loss(task, score, label))
                if task == "binary":
                    self.correct.add(float(prediction == label))

    def metrics(self) -> VariantMetrics:
        return VariantMetrics(
            version=self.version,
            assigned=self.assigned,
            served=self.served,
            fallbacks=dict(self.fallbacks),
            errors=dict(self.errors),
            latency_ms=self.latency.moments(),
            latency_quantiles=_quantiles(self.latencies),
            score=self.score.moments(),
            loss=self.loss.moments(),
            correct=self.correct.moments(),
            outcomes={name: welford.moments() for name, welford in self.outcomes.items()},
        )


class _Shadow:
    def __init__(self, copies: int) -> None:
        self.copies = copies
        self.scored = self.flips = self.pairs = self.champion_only = self.challenger_only = 0
        self.dropped: dict[str, int] = defaultdict(int)
        self.errors: dict[str, int] = defaultdict(int)
        self.latency, self.difference, self.loss_difference = Welford(), Welford(), Welford()

    def add(self, row: Any, task: Task) -> None:
        _, score, prediction, latency, dropped, error, served, answer, label = row
        if dropped is not None:
            self.dropped[dropped] += 1
        elif error is not None:
            self.errors[error] += 1
        elif score is not None and served is not None:
            self.scored += 1
            self.latency.add(latency)
            self.difference.add(score - served)
            self.flips += task == "binary" and prediction != answer
            if label is not None:
                self._pair(task, score, prediction, served, answer, label)

    def _pair(self, task: Task, score: float, prediction: float, served: float, answer: float, label: float) -> None:
        self.pairs += 1
        self.loss_difference.add(loss(task, served, label) - loss(task, score, label))
        if task == "binary":
            self.champion_only += answer == label and prediction != label
            self.challenger_only += prediction == label and answer != label

    def metrics(self, version: str) -> ShadowMetrics:
        return ShadowMetrics(
            version=version,
            copies=self.copies,
            scored=self.scored,
            dropped=dict(self.dropped),
            errors=dict(self.errors),
            latency_ms=self.latency.moments(),
            difference=self.difference.moments(),
            flips=self.flips,
            pairs=self.pairs,
            champion_only_right=self.champion_only,
            challenger_only_right=self.challenger_only,
            loss_difference=self.loss_difference.moments(),
        )


def _quantiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {f"p{q}": ordered[min(len(ordered) - 1, math.ceil(q / 100 * len(ordered)) - 1)] for q in (50, 95, 99)}
