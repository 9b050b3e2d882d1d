"""From the words of `understudy plan` to its answer; the statistics live in `flows.stats.planning`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.errors import ConfigError

if TYPE_CHECKING:
    from flows.stats.planning.designs import Design
    from flows.stats.planning.question import Kind, Question, SpendingName

RATES = frozenset({"accuracy", "error_rate", "precision", "recall"})
LOSSES = frozenset({"brier", "log_loss", "loss", "mae", "rmse", "mape", "calibration", "latency_ms"})
ON_SAME_ROWS = RATES | LOSSES | {"auc"}
CURVE = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
ALERT = 0.001
_NO_MEANS = {"r2": "rmse", "f1": "accuracy", "pr_auc": "auc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of the command, as given."""

    metric: str
    baseline: float
    lift: float | None
    margin: float | None
    absolute: bool
    budget: int | None
    power: float
    alpha: float
    guardrails: int
    share: float
    per_day: float | None
    labelled: float
    discordance: float | None
    sd: float | None
    correlation: float | None
    ones: float
    looks: int
    spending: "SpendingName"
    per_key: float
    icc: float
    covariate: float

    @property
    def kind(self) -> "Kind":
        """What sort of number the metric is."""
        if self.metric == "auc":
            return "area"
        if self.metric in RATES or (self.metric not in LOSSES and self.sd is None and 0 < self.baseline < 1):
            return "rate"
        return "mean"

    @property
    def unit(self) -> float:
        """What lift and margin are multiples of."""
        return 1.0 if self.absolute else abs(self.baseline)

    @property
    def lower_is_better(self) -> bool:
        """Whether an improvement makes the number smaller."""
        from registry.records.policy import direction_of

        return direction_of(self.metric) == "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """
    One design.

    Attributes:
        champion, challenger: Labelled requests that each must answer; the same ones when paired.
        labels: In all, by which it has told with the wanted power.
        expected: On average, if the effect is real.
        requests: To collect so many labels.
        days, days_expected: At the given traffic; None without it.
    """

    design: str
    paired: bool
    champion: int
    challenger: int
    labels: int
    expected: int
    requests: int
    days: float | None
    days_expected: float | None
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """Smallest true lift that a design shows, in the unit asked for; None if it shows none."""

    design: str
    lift: float | None
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is printed, and what programs read."""

    title: str
    asked: Mapping[str, object]
    assumed: Mapping[str, str]
    designs: tuple[Sized, ...] = ()
    detectable: tuple[Detectable, ...] = ()
    curve_effects: tuple[str, ...] = ()
    power_curve: Mapping[str, tuple[float | None, ...]]
    split_alarm: float | None = None
    advice: tuple[str, ...]


def answer(asked: Asked) -> Answer:
    """
    Size all designs, or say what a budget shows.

    Raises:
        ConfigError: With every mistake.
    """
    from flows.stats.planning.designs import designs, detectable, power_curve

    _refuse(asked)
    question = question_of(asked)
    try:
        if asked.budget is not None:
            return _for_budget(asked, detectable(question, asked.budget * 1.0))
        found = designs(question)
        curve = power_curve(question, CURVE)
    except OverflowError as error:
        why = f"One of the designs never reaches power {_each(asked):.8g}, asked of each metric."
        raise ConfigError("Nothing was planned.", why, "Ask for less --power, or fewer --guardrails.") from error
    except ValueError as error:
        mend = "Ask for a larger --lift or --margin, or correct it."
        raise ConfigError("Nothing was planned.", f"{error}.", mend) from error
    return _sized(asked, found, curve)


def question_of(asked: Asked) -> "Question":
    """The same question as `flows.stats.planning` asks it: more is better."""
    from flows.stats.planning.question import Question

    flipped = asked.kind == "rate" and asked.lower_is_better
    return Question(
        kind=asked.kind,
        champion=1 - asked.baseline if flipped else asked.baseline,
        effect=(asked.lift or 0.0) * asked.unit,
        margin=(asked.margin or 0.0) * asked.unit,
        sd=asked.sd,
        discordance=asked.discordance,
        correlation=0.5 if asked.correlation is None else asked.correlation,
        ones=asked.ones,
        paired=asked.metric in ON_SAME_ROWS,
        alpha=asked.alpha,
        power=asked.power,
        share=asked.share,
        guardrails=asked.guardrails,
        looks=asked.looks,
        spending=asked.spending,
        per_key=asked.per_key,
        icc=asked.icc,
        covariate=asked.covariate,
    )


def _refuse(asked: Asked) -> None:
    mistakes = [*_numbers(asked), *_goal(asked), *_metric(asked), *_idle(asked)]
    if mistakes:
        mend = "Correct them; `understudy plan --help` shows examples."
        raise ConfigError("Nothing was planned.", "; ".join(mistakes) + ".", mend)


_OPEN, _CLOSED = "does not lie strictly between {0:g} and {1:g}", "does not lie between {0:g} and {1:g}"
_RANGES: dict[str, tuple[float, float, str]] = {
    "power": (0, 1, _OPEN),
    "alpha": (0, 1, _OPEN),
    "share": (0, 1, _OPEN),
    "ones": (0, 1, _OPEN),
    "covariate": (-1, 1, _OPEN),
    "correlation": (-1, 1, _OPEN),
    "labelled": (1e-9, 1, "is no share above 0 of at most 1"),
    "icc": (0, 1, _CLOSED),
    "looks": (1, 100, _CLOSED),
    "guardrails": (0, 1000, _CLOSED),
    "per_key": (1, 1e9, _CLOSED),
    "per_day": (1e-9, 1e15, "is not above 0"),
    "budget": (1, 1e9, _CLOSED),
    "sd": (1e-300, 1e300, "is not above 0"),
}


def _numbers(asked: Asked) -> Iterator[str]:
    for name, (low, high, said) in _RANGES.items():
        given = getattr(asked, name)
        inside = given is None or (low < given < high if said == _OPEN else low <= given <= high)
        if not inside:
            yield f"--{name.replace('_', '-')} {given:g} {said.format(low, high)}"


def _goal(asked: Asked) -> Iterator[str]:
    given = [name for name in ("lift", "margin", "budget") if getattr(asked, name) is not None]
    if not given:
        yield "neither --lift, --margin nor --budget says what is asked for"
    if "lift" in given and "budget" in given:
        yield "--lift and --budget were both given, but each is the answer to the other"
    if asked.lift is not None and not (asked.lift > 0 or (asked.margin and asked.lift > -asked.margin)):
        yield f"--lift {asked.lift:g} is no improvement (write it above 0, also where less is better)"
    if asked.margin is not None and not 0 < asked.margin < math.inf:
        yield f"--margin {asked.margin:g} is not above 0"
    if not math.isfinite(asked.baseline) or (asked.baseline == 0 and not asked.absolute):
        yield f"--baseline {asked.baseline:g} gives no share (write --lift in the metric's unit, with --absolute)"


def _idle(asked: Asked) -> Iterator[str]:
    """Options that would do nothing."""
    paired = asked.metric in ON_SAME_ROWS
    uses = {
        "sd": asked.kind == "mean",
        "discordance": paired and asked.kind == "rate",
        "correlation": paired and asked.kind != "rate",
    }
    for name, used in uses.items():
        if getattr(asked, name) is not None and not used:
            yield f"--{name} plays no part for {asked.metric} (leave it out)"
    if asked.covariate and asked.kind == "area":
        yield f"--covariate plays no part for {asked.metric} (leave it out)"


def _metric(asked: Asked) -> Iterator[str]:
    other = _NO_MEANS.get(asked.metric)
    if other is not None:
        yield f"{asked.metric} is no mean over rows and cannot be planned (plan by {other})"
        return
    if asked.kind == "mean":
        if asked.sd is None:
            yield f"{asked.metric} is a mean, and --sd, the standard deviation of one row, is missing"
        if asked.metric in LOSSES:
            yield from _loss(asked)
        return
    if not 0 < asked.baseline < 1:
        yield f"--baseline {asked.baseline:g} of {asked.metric} does not lie between 0 and 1"
        return
    room = asked.baseline if asked.lower_is_better else 1 - asked.baseline
    gain = (asked.lift or 0.0) * asked.unit
    if gain >= room:
        most = room / asked.unit
        yield f"--lift {asked.lift:g} leads {asked.metric} beyond its best (from {asked.baseline:g} at most {most:.4g})"
    elif asked.discordance is not None and not max(abs(gain), 1e-12) <= asked.discordance <= 1:
        yield f"--discordance {asked.discordance:g} does not lie between the gain {gain:.4g} and 1"


def _loss(asked: Asked) -> Iterator[str]:
    gain = (asked.lift or 0.0) * asked.unit
    if asked.baseline < 0:
        yield f"--baseline {asked.baseline:g} of {asked.metric} is below 0"
    elif gain > asked.baseline > 0:
        most = asked.baseline / asked.unit
        yield f"--lift {asked.lift:g} leads {asked.metric} below 0 (from {asked.baseline:g} at most {most:.4g})"


def _sized(asked: Asked, found: "tuple[Design, ...]", curve: Mapping[str, tuple[float | None, ...]]) -> Answer:
    sized = tuple(_with_days(asked, design) for design in found)
    alarm = _split_alarm(asked, sized)
    return Answer(
        title=_title(asked),
        asked=_asked(asked),
        assumed=_assumed(asked),
        designs=sized,
        curve_effects=tuple(_effect_text(asked, factor) for factor in CURVE),
        power_curve=curve,
        split_alarm=alarm,
        advice=(_advice(asked, sized), *_split_words(asked, alarm)),
    )


def _with_days(asked: Asked, design: "Design") -> Sized:
    def days(labels: int) -> float | None:
        return None if asked.per_day is None else round(labels / asked.labelled / asked.per_day, 1)

    return Sized(
        design=design.name,
        paired=design.paired,
        champion=design.champion,
        challenger=design.challenger,
        labels=design.labels,
        expected=design.expected,
        requests=math.ceil(design.labels / asked.labelled),
        days=days(design.labels),
        days_expected=days(design.expected),
        method=design.method,
    )


def _for_budget(asked: Asked, found: Mapping[str, float]) -> Answer:
    sign = -1 if asked.lower_is_better else 1
    seen = tuple(
        Detectable(
            design=name,
            lift=effect / asked.unit if math.isfinite(effect) else None,
            value=asked.baseline + sign * effect if math.isfinite(effect) else None,
        )
        for name, effect in found.items()
    )
    best = min(found, key=lambda name: found[name])
    said = "No design would see any lift: get more labels."
    if math.isfinite(found[best]):
        said = f"The smallest lift is seen by: {best}." + (
            " Both models score the same rows there." if "paired" in best else ""
        )
    return Answer(
        title=_title(asked),
        asked=_asked(asked),
        assumed=_assumed(asked),
        detectable=seen,
        power_curve={},
        advice=(said,),
    )


def _title(asked: Asked) -> str:
    if asked.margin:
        return f"Is the challenger's {asked.metric} not worse?"
    return f"Is the challenger's {asked.metric} better?"


def _asked(asked: Asked) -> dict[str, object]:
    sign = -1 if asked.lower_is_better else 1
    found: dict[str, object] = {asked.metric: asked.baseline}
    if asked.lift is not None:
        found[asked.metric] = f"{asked.baseline:g} -> {asked.baseline + sign * asked.lift * asked.unit:.4g}"
    if asked.margin is not None:
        found["bound"] = f"{asked.baseline - sign * asked.margin * asked.unit:.4g}"
    found["alpha"] = f"{asked.alpha:g}, two-sided"
    each = _each(asked)
    more = f", so {each:.3g} for each of {asked.guardrails + 1} metrics" if asked.guardrails else ""
    found["power"] = f"{asked.power:g}{more}"
    if asked.per_day is not None:
        found["traffic"] = f"{asked.per_day:,.0f} requests a day, {asked.labelled:.0%} of them labelled"
    return found


def _each(asked: Asked) -> float:
    """Power of each metric, so that all pass with the power asked for."""
    from flows.stats.multiplicity import guardrail_power

    return guardrail_power(asked.power, asked.guardrails)


def _assumed(asked: Asked) -> dict[str, str]:
    from flows.stats.planning.endings import discordance_of

    if asked.metric not in ON_SAME_ROWS:
        return {}
    if asked.kind == "rate" and asked.discordance is None:
        guess = discordance_of(question_of(asked))
        return {
            "discordance": f"{guess:.3g}: half of what independent errors give (measure it, then give --discordance)"
        }
    if asked.kind != "rate" and asked.correlation is None:
        return {"correlation": "0.5 on the same rows (measure it, then give --correlation)"}
    return {}


def _effect_text(asked: Asked, factor: float) -> str:
    margin = asked.margin or 0.0
    effect = ((asked.lift or 0.0) + margin) * factor - margin
    return f"{effect:+.3g}" if asked.absolute else f"{effect:+.2%}"


def _advice(asked: Asked, sized: tuple[Sized, ...]) -> str:
    by_name = {one.design: one for one in sized}
    shadow, split = by_name.get("shadow, always-valid"), by_name.get("A/B, always-valid")
    if shadow and split:
        times = split.expected / shadow.expected
        if times <= 1:
            return f"Start in shadow: about {shadow.expected:,} labelled requests{_in_days(shadow)}; nobody notices."
        return (
            f"Start in shadow: about {shadow.expected:,} labelled requests{_in_days(shadow)} if the effect is real, "
            f"{times:.1f} times fewer than an A/B test that may be looked at as often."
        )
    if asked.kind == "area":
        holdout, few = by_name["holdout, paired"], by_name["A/B, group sequential"]
        return (
            f"Use {holdout.labels:,} labelled rows that both models score{_in_days(holdout)}; an A/B test of AUC needs "
            f"{few.labels / holdout.labels:.1f} times as many. AUC has no always-valid test: watch brier in shadow."
        )
    few = by_name["A/B, group sequential"]
    return (
        f"Name a horizon of {few.labels:,} labelled requests and look {asked.looks} times: it ends after about "
        f"{few.expected:,}{_in_days(few)} if the effect is real. The always-valid test has no horizon, and needs "
        f"{(split.labels if split else few.labels) / few.labels:.1f} times as many in most cases."
    )


def _in_days(one: Sized) -> str:
    return "" if one.days_expected is None else f" ({one.days_expected:,.1f} days)"


def _split_alarm(asked: Asked, sized: tuple[Sized, ...]) -> float | None:
    from flows.stats.planning.split import detectable_split

    split = next((one for one in sized if not one.paired), None)
    if split is None:
        return None
    found = detectable_split(split.requests, asked.share, power=0.8, alpha=ALERT)
    return found if math.isfinite(found) else None


def _split_words(asked: Asked, alarm: float | None) -> list[str]:
    if alarm is None:
        return []
    return [
        f"In an A/B test of one look a split of {asked.share + alarm:.1%} instead of {asked.share:.1%} would be found "
        "(sample ratio test, power 0.8)."
    ]
