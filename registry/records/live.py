"""HTTP documents between router and flows: metrics, joined rows, outcomes, predictions."""

from typing import Any, Literal

from registry.records.base import Record


class Moments(Record, frozen=True, kw_only=True):
    """
    Mergeable sufficient statistics of one number (Chan, Golub, LeVeque 1983).

    Attributes:
        m2: Sum of squared deviations from the mean.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    def merge(self, other: "Moments") -> "Moments":
        """Combine two samples; associative and commutative."""
        n = self.n + other.n
        if n == 0:
            return self
        delta = other.mean - self.mean
        mean = self.mean + delta * other.n / n
        return Moments(n=n, mean=mean, m2=self.m2 + other.m2 + delta * delta * self.n * other.n / n)

    @property
    def variance(self) -> float:
        """Unbiased; nan below two values."""
        return self.m2 / (self.n - 1) if self.n > 1 else float("nan")


class UnitMoments(Record, frozen=True, kw_only=True):
    """
    Sufficient statistics of (number of values, sum of values) over keys.

    Callers are dealt by key and come back, so keys are the unit of analysis, not requests
    (Deng, Knoblich, Lu 2018); a request without a key is a unit of its own. There is no
    merge: the same key is in several phases, and adding would count it as two keys.

    Attributes:
        n: Keys with at least one value.
        mean_x, mean_y: Mean number of values, and mean sum of values, per key.
        m2_x, m2_y: Sums of squared deviations.
        co: Sum of products of deviations.
    """

    n: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    m2_x: float = 0.0
    m2_y: float = 0.0
    co: float = 0.0


class Joint(Record, frozen=True, kw_only=True):
    """
    Sufficient statistics of pairs of numbers (x, y), one pair per request.

    Attributes:
        m2_x, m2_y: Sums of squared deviations.
        co: Sum of products of deviations.
    """

    n: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    m2_x: float = 0.0
    m2_y: float = 0.0
    co: float = 0.0


Histogram = dict[str, int]
"""Counts by the least value of a bin; bins are the same everywhere, so those of several routers add up."""


class VariantMetrics(Record, frozen=True, kw_only=True):
    """
    What one variant did in one phase.

    Counted by the variant *assigned*, so that a challenger's failures stay its own
    (intention to treat); forced keys are left out.

    Attributes:
        assigned: Enrolled requests dealt to it.
        served: Of these, those it answered itself.
        fallbacks: Of these, those the champion answered instead, by reason.
        errors: Of these, those answered with an error, by reason.
        latency_ms: Of the variant's own answers (late ones count with the deadline).
        latency_quantiles: {"p50": ms, "p95": ms, "p99": ms}.
        score: Of the predictions served.
        loss: Of the labelled rows: squared error of the probability (binary, Brier),
            absolute error (regression), 1 for a wrong class (multiclass).
        correct: 1 where the predicted class was right (not for regression).
        outcomes: Every other metric that arrived, e.g. "revenue".
        units: The same by key: "loss", "correct" and every other metric; a metric that callers
            themselves named "loss" or "correct" is in outcomes only.
        keys: Distinct keys among assigned.
        ages: Of the newest phase: {"least age": (requests answered, of these labelled)}. Ages are
            in seconds of the model's clock, in buckets 0 to 1, 1 to 2, 2 to 4, 4 to 8 ...: arms
            whose labels arrive alike have like shares in every bucket. All labels count here.
        latencies: Histogram of latency_ms, four bins per factor of two.
        scores: Histogram of score: twenty bins of a probability, else eight per factor of two and sign.
        joint: {"label" or metric: moments of (score, value) over the requests that have both}.
    """

    version: str
    assigned: int = 0
    served: int = 0
    fallbacks: dict[str, int] = {}
    errors: dict[str, int] = {}
    latency_ms: Moments = Moments()
    latency_quantiles: dict[str, float] = {}
    score: Moments = Moments()
    loss: Moments = Moments()
    correct: Moments = Moments()
    outcomes: dict[str, Moments] = {}
    units: dict[str, UnitMoments] = {}
    keys: int = 0
    ages: dict[str, tuple[int, int]] = {}
    latencies: Histogram = {}
    scores: Histogram = {}
    joint: dict[str, Joint] = {}


class ShadowMetrics(Record, frozen=True, kw_only=True):
    """
    What a shadow saw in one phase, against the champion on the same requests.

    Attributes:
        copies: Requests the champion answered while it watched.
        scored: Of these, copies it scored; copies = scored + all dropped + all errors + pending.
        dropped: Copies it never scored, by reason.
        errors: Copies it failed on, by reason; "incomparable" where one of the two gave no number.
        pending: Copies of which nothing is known yet.
        difference: Shadow score minus served score.
        difference_quantiles: {"p1", "p5", "p50", "p95", "p99"} of the difference.
        difference_most: Its largest absolute value.
        flips: Copies where the predicted class differed (not for regression); flips_up: the shadow's
            class has the larger number (binary: served 0, shadow 1); flips_down: the other way round.
        scores, served_scores: Histograms, of the shadow and of what was served, over the scored copies.
        psi, ks: Between those two: population stability index, and the largest distance of the
            cumulated shares at the bounds of the bins; None without a scored copy.
        latency_ms, latency_quantiles: Of the shadow; a copy's share of those scored together.
        served_latency_ms, served_latency_quantiles: Of the champion, over the scored copies that it
            answered itself; counted once per group of rows answered together.
        pairs: Labelled copies scored by both.
        champion_only_right, challenger_only_right: Discordant pairs (not for regression).
        loss_difference: Champion loss minus shadow loss; positive is better.
        units: The same by key: "loss" (difference), "correct" (challenger minus champion).
    """

    version: str
    copies: int = 0
    scored: int = 0
    dropped: dict[str, int] = {}
    errors: dict[str, int] = {}
    pending: int = 0
    latency_ms: Moments = Moments()
    latency_quantiles: dict[str, float] = {}
    served_latency_ms: Moments = Moments()
    served_latency_quantiles: dict[str, float] = {}
    difference: Moments = Moments()
    difference_quantiles: dict[str, float] = {}
    difference_most: float = 0.0
    flips: int = 0
    flips_up: int = 0
    flips_down: int = 0
    scores: Histogram = {}
    served_scores: Histogram = {}
    psi: float | None = None
    ks: float | None = None
    pairs: int = 0
    champion_only_right: int = 0
    challenger_only_right: int = 0
    loss_difference: Moments = Moments()
    units: dict[str, UnitMoments] = {}


class PhaseMetrics(Record, frozen=True, kw_only=True):
    """Everything of one phase."""

    phase: str
    first_epoch: int
    last_epoch: int
    weights: dict[str, int] = {}
    variants: dict[str, VariantMetrics] = {}
    shadows: dict[str, ShadowMetrics] = {}


class ModelMetrics(Record, frozen=True, kw_only=True):
    """
    `GET /v1/models/{model}/metrics`: the contract the flows read.

    Attributes:
        phases: Newest last.
        predictions: Logged predictions, all phases; unlogged: answered but lost to a
            failing event store, so that sums can be trusted or not.
        outcomes: Accepted outcome rows by status: joined, parked, duplicate, conflict, late (behind
            the label horizon), expired (no prediction came in time).
        sequence: Cursor of the newest joined row, for `rows?after=`.
        clock: The model's: event time of its newest request, in epoch seconds (virtual in a replay).
        min_label_age_s: Labels and KPIs of requests younger than this by the clock were left out
            of loss, correct, outcomes, pairs and units.
    """

    model: str
    epoch: int
    phases: tuple[PhaseMetrics, ...] = ()
    predictions: int = 0
    unlogged: int = 0
    outcomes: dict[str, int] = {}
    sequence: int = 0
    clock: float = 0.0
    min_label_age_s: float = 0.0


class JoinedRow(Record, frozen=True, kw_only=True):
    """
    One line of `GET /v1/models/{model}/rows` (NDJSON): features as served, labels as joined.

    Attributes:
        sequence: Cursor; grows by arrival in the log.
        time: When the prediction was asked for, in epoch seconds (virtual in a replay).
        outcomes: By metric; "label" is the truth of the target.
        shadows: By version: {"score": .., "prediction": ..} or {"error": reason}.
        weight: Propensity with which `assigned` was drawn, in parts per million, as logged;
            None where the key was not dealt (forced, holdout, no key).
    """

    sequence: int
    prediction_id: str
    key: str | None
    time: float
    features: dict[str, Any]
    variant: str
    assigned: str
    model_version: str
    epoch: int
    phase: str
    reason: str
    enrolled: bool
    prediction: Any
    score: float | None
    latency_ms: float
    outcomes: dict[str, float] = {}
    shadows: dict[str, dict[str, Any]] = {}
    weight: int | None = None


class Outcome(Record, frozen=True, kw_only=True):
    """
    What became of a prediction; `POST /v1/models/{model}/outcomes`.

    Attributes:
        prediction_id: Exact join. Or give key: the latest prediction of that key
            within the attribution window.
        metric: "label" for the truth of the target, else any KPI name.
        time: When it was observed, in epoch seconds; now if absent.
        id: Idempotency key; by default made of prediction (or key and time, as sent) and metric.
    """

    prediction_id: str | None = None
    key: str | int | None = None
    metric: str = "label"
    value: float
    time: float | None = None
    id: str | None = None


class OutcomeStatus(Record, frozen=True, kw_only=True):
    """
    What happened to one outcome row.

    Attributes:
        status: "accepted" is durable; "duplicate" was known already; "conflict":
            another value was accepted first and is kept; "invalid": refused, see said.
    """

    status: Literal["accepted", "duplicate", "conflict", "invalid"]
    said: str = ""
