"""What a replay found, as it is stored and shown."""

from registry.records.base import Record

POINT = {"accuracy": 0.01, "auc": 0.01}  # one point of a share is a hundredth; of an error, one unit


class Difference(Record, frozen=True, kw_only=True):
    """
    One policy against another on the same batches or rows; more is better.

    Attributes:
        against: Name of the other.
        estimate, low, high: In the metric's unit, 95 % interval for one look; None: cannot be bounded.
        method: As a statistician would write it.
        said: "better", "worse" or "no difference shown".
    """

    against: str
    estimate: float
    low: float | None
    high: float | None
    method: str
    said: str


class Schedule(Record, frozen=True, kw_only=True):
    """
    The even schedule with as many retrainings, over several choices of its first date.

    Attributes:
        value: Its metric, mean over the phases; worst, best: of the phases.
        phases: How many were replayed.
    """

    retrainings: int
    value: float
    worst: float
    best: float
    phases: int


class Event(Record, frozen=True, kw_only=True):
    """One retraining: after which batch, when (epoch seconds of its last row), from what, and why."""

    batch: int
    at: float
    rows: str
    why: str


class Delay(Record, frozen=True, kw_only=True):
    """
    How soon retrainings followed on changes.

    Attributes:
        changes: How many there were; missed: without a retraining before the next one.
        median: Batches from a change to the next retraining, of those not missed.
    """

    changes: int
    missed: int
    median: float | None


class PolicyResult(Record, frozen=True, kw_only=True):
    """
    What one policy reached and cost.

    Attributes:
        value: The metric over all scored rows.
        lost: Points of the metric lost against "always"; negative: won.
        gain: Share of the gain of "always" over "never"; None where always gains nothing.
        retrainings: Models put in force after the first; share: of the batches after which one could be.
        fits: Models fitted, those that were only tried included.
        seconds: Processor time of these fits, as if nothing was shared with other policies.
        cost: retrainings x price of one + points lost x price of a point; None without prices.
        schedule: The even schedule with as many retrainings.
        differences: Against never, always and that schedule.
        series: The metric of each batch; None where it is undefined.
    """

    name: str
    said: str
    value: float
    lost: float
    gain: float | None
    retrainings: int
    share: float
    fits: int
    seconds: float
    cost: float | None
    delay: Delay | None
    schedule: Schedule | None
    differences: tuple[Difference, ...]
    events: tuple[Event, ...]
    series: tuple[float | None, ...]


class Tuned(Record, frozen=True, kw_only=True):
    """
    A number found on the early part, and judged on the later one, which the search never saw.

    Attributes:
        early_batches, later_batches: Lengths of both parts.
        trials: Numbers tried.
        early, early_default, later, later_default: Metric with the number found, and with the default.
        later_never, later_always, later_evenly: Of the later part, for comparison; the last one with as many
            retrainings as the number found.
        early_retrainings, later_retrainings: With the number found; later_default_retrainings: with the default.
    """

    kind: str
    default: str
    found: str
    early_batches: int
    later_batches: int
    trials: int
    early: float
    early_default: float
    later: float
    later_default: float
    later_never: float
    later_always: float
    later_evenly: float
    early_retrainings: int
    later_retrainings: int
    later_default_retrainings: int


class Backtest(Record, frozen=True, kw_only=True):
    """
    All policies on one table.

    Attributes:
        window: How far back retrainings look.
        changes: Batches after which the oracle retrains, or those that were given.
        notes: What a reader must know.
    """

    model: str
    metric: str
    higher: bool
    rows: int
    scored: int
    batches: int
    batch: str
    warmup: int
    window: str
    label_delay: float
    ends: tuple[float, ...]
    changes: tuple[int, ...]
    policies: tuple[PolicyResult, ...]
    notes: tuple[str, ...]
    price_retraining: float | None = None
    price_point: float | None = None
    tuned: tuple[Tuned, ...] = ()

    def policy(self, name: str) -> PolicyResult:
        """One of them, by name."""
        return next(one for one in self.policies if one.name == name)
