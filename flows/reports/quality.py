"""Pictures of both models on their labelled rows."""

from collections.abc import Callable, Mapping

import numpy as np

from flows.reports import curves, svg
from flows.reports.axes import Axis, clock, linear, shares, spread
from flows.reports.evidence import ARMS, ArmName, Evidence, Floats, Rows, usable
from flows.reports.part import Part
from flows.reports.text import counted, named, percent, plain_number, words
from flows.stats.paired.ranking import auc
from registry.records.version import Task

Both = Mapping[ArmName, Rows]
_TITLE = "How good both models are"
_LEAST = 20


def quality(evidence: Evidence | None, names: Mapping[ArmName, str]) -> list[Part]:
    """
    Draw what the task has: calibration, ROC and precision-recall, or errors in three ways.

    Of several classes it is the calibration of the predicted one.

    Args:
        evidence: None if the rows were not kept.
        names: The version of each arm.
    """
    if evidence is None:
        return [Part(_TITLE, why="the labelled rows were not handed to the report")]
    rows = {arm: usable(evidence.arms.get(arm)) for arm in ARMS}
    lacking = [f"{arm} ({one.why})" for arm, one in rows.items() if one.labels.size == 0]
    if len(lacking) == len(ARMS):
        return [Part(_TITLE, why=f"there are no usable rows: {'; '.join(lacking)}")]
    present = {arm: one for arm, one in rows.items() if one.labels.size}
    drawn = _DRAWN[evidence.task](present)
    figures, reasons = "".join(part.body for part in drawn), [part for part in drawn if not part.body]
    if not figures:
        return reasons
    body = f'{_legend(present, names)}<div class="figures">{figures}</div>{_left_out(present, lacking)}'
    return [Part(_TITLE, body), *reasons]


def _legend(rows: Both, names: Mapping[ArmName, str]) -> str:
    said = [(arm, f"{arm} {named(names[arm])}, {counted(one.labels.size, 'row')}") for arm, one in rows.items()]
    return svg.legend(said)


def _left_out(rows: Both, lacking: list[str]) -> str:
    dropped = [f"{counted(one.dropped, 'row')} of the {arm}" for arm, one in rows.items() if one.dropped]
    said = f"Left out for a missing label or score: {words(dropped)}. " if dropped else ""
    said += f"Not drawn: {words(lacking)}." if lacking else ""
    return f'<p class="soft">{said}</p>' if said else ""


def _binary(rows: Both) -> list[Part]:
    if any(not np.isin(one.labels, (0.0, 1.0)).all() for one in rows.values()):
        return [Part(_TITLE, why="some labels are neither 0 nor 1")]
    return [_calibration(rows), _roc(rows), _precision_recall(rows)]


def _calibration(rows: Both) -> Part:
    title = "Do probabilities come true?"
    if any(one.scores.min() < 0 or one.scores.max() > 1 for one in rows.values()):
        return Part("Calibration", why="the scores are not probabilities: some lie outside 0 to 1")
    if min(one.labels.size for one in rows.values()) < _LEAST:
        return Part("Calibration", why=f"there are fewer than {_LEAST} rows")
    bins = {arm: curves.reliability(one.labels, one.scores) for arm, one in rows.items()}
    top = max(float(max(b.x.max(), b.high.max())) for b in bins.values())
    x, y = _percents(top, "stated probability"), _percents(top, "observed share")
    marks = svg.diagonal(x, y)
    for arm, b in bins.items():
        marks += svg.whiskers(x, y, b.x, b.low, b.high, arm) + svg.line(x, y, b.x, b.y, arm)
        marks += svg.dots(x, y, b.x, b.y, arm)
    off = {arm: float(np.average(np.abs(b.y - b.x), weights=b.n)) for arm, b in bins.items()}
    said = f"Off on average by {_each({arm: _points(v) for arm, v in off.items()})}. On the dotted line: exactly right."
    alt = f"Calibration: observed share against stated probability. {said}"
    note = f"Share of positives among rows with about the same stated probability. {said}"
    return Part(title, svg.figure(title, svg.plot(alt, x, y, marks), note))


def _roc(rows: Both) -> Part:
    title = "Hits against false alarms"
    why = _one_class(rows)
    if why:
        return Part("ROC curves", why=why)
    x, y = shares("false alarms among negatives"), shares("positives found")
    marks = svg.diagonal(x, y)
    for arm, one in rows.items():
        marks += svg.line(x, y, *curves.roc(one.labels, one.scores), arm)
    areas = _each({arm: percent(auc(one.labels, one.scores)) for arm, one in rows.items()})
    note = f"ROC curve; higher is better. Area (AUC): {areas}. Dotted: chance."
    alt = f"ROC curves. Area under the curve: {areas}."
    return Part(title, svg.figure(title, svg.plot(alt, x, y, marks), note))


def _precision_recall(rows: Both) -> Part:
    title = "How pure are its picks?"
    why = _one_class(rows)
    if why:
        return Part("Precision-recall curves", why=why)
    x, y = shares("positives found (recall)"), shares("picks that are right (precision)")
    marks = "".join(svg.across(y, float(one.labels.mean()), "ideal") for one in list(rows.values())[:1])
    for arm, one in rows.items():
        marks += svg.line(x, y, *curves.precision_recall(one.labels, one.scores), arm)
    areas = _each({arm: percent(curves.average_precision(one.labels, one.scores)) for arm, one in rows.items()})
    note = f"Precision-recall curve; higher is better. Average precision: {areas}. Dotted: picking at random."
    alt = f"Precision-recall curves. Average precision: {areas}."
    return Part(title, svg.figure(title, svg.plot(alt, x, y, marks), note))


def _one_class(rows: Both) -> str:
    lone = [arm for arm, one in rows.items() if one.labels.min() == one.labels.max()]
    return f"all labels of the {words(list(lone))} are the same" if lone else ""


def _regression(rows: Both) -> list[Part]:
    if min(one.labels.size for one in rows.values()) < _LEAST:
        return [Part(_TITLE, why=f"there are fewer than {_LEAST} rows")]
    return [_errors(rows), _predicted(rows), _residuals(rows)]


def _errors(rows: Both) -> Part:
    title = "How far off it is"
    error = {arm: one.scores - one.labels for arm, one in rows.items()}
    reach = max(float(np.quantile(np.abs(e), 0.99)) for e in error.values()) or 1.0
    edges = np.linspace(-reach, reach, 42)
    heights = {arm: curves.density(e, edges) for arm, e in error.items()}
    x = linear(-reach, reach, "predicted minus true", signs=True)
    y = _percents(max(float(h.max()) for h in heights.values()), "share of rows")
    marks = svg.upright(x, 0.0, "ideal")
    for arm, h in heights.items():
        marks += svg.line(x, y, np.repeat(edges, 2)[1:-1], np.repeat(h, 2), arm)
    middle = _each({arm: plain_number(float(np.median(np.abs(e)))) for arm, e in error.items()})
    note = f"The narrower, the better; the farthest 1% counts at the ends. Half of the rows are within: {middle}."
    alt = f"Distribution of errors. Median absolute error: {middle}."
    return Part(title, svg.figure(title, svg.plot(alt, x, y, marks), note))


def _predicted(rows: Both) -> Part:
    title = "Predicted against true"
    bins = {arm: curves.by_prediction(one.labels, one.scores) for arm, one in rows.items()}
    low, high = spread([v for b in bins.values() for part in (b.x, b.low, b.high) for v in part.tolist()])
    x, y = linear(low, high, "predicted"), linear(low, high, "true")
    marks = svg.diagonal(x, y)
    for arm, b in bins.items():
        marks += svg.whiskers(x, y, b.x, b.low, b.high, arm) + svg.dots(x, y, b.x, b.y, arm)
    note = "Of rows with about the same prediction: median and middle 80%. Dotted: exactly right."
    return Part(title, svg.figure(title, svg.plot(f"Predicted against true values. {note}", x, y, marks), note))


def _residuals(rows: Both) -> Part:
    title = "Errors over time"
    timed: dict[ArmName, tuple[Floats, Floats]] = {
        arm: (one.times, one.scores - one.labels) for arm, one in rows.items() if one.times is not None
    }
    if not timed:
        return Part(title, why="the rows have no times")
    bins = {arm: curves.over_time(*both) for arm, both in timed.items()}
    low, high = spread([0.0, *(v for b in bins.values() for part in (b.low, b.high) for v in part.tolist())])
    x = clock(min(float(b.x[0]) for b in bins.values()), max(float(b.x[-1]) for b in bins.values()))
    y = linear(low, high, "predicted minus true", signs=True)
    marks = "".join(svg.band(x, y, b.x, b.low, b.high, arm) for arm, b in bins.items()) + svg.across(y, 0.0, "ideal")
    marks += "".join(svg.line(x, y, b.x, b.y, arm) for arm, b in bins.items())
    note = "Median, and the middle 80%. A line that leaves zero: the world may have changed since it was trained."
    return Part(title, svg.figure(title, svg.plot(f"Errors over time. {note}", x, y, marks), note, wide=True))


_DRAWN: Mapping[Task, Callable[[Both], list[Part]]] = {
    "binary": _binary,
    "multiclass": lambda rows: [_calibration(rows)],
    "regression": _regression,
}


def _percents(top: float, title: str) -> Axis:
    if top > 0.5:
        return shares(title)
    axis = linear(0.0, 100 * (top or 0.01), title, unit="%", most=4)
    return Axis(0.0, axis.high / 100, tuple((at / 100, said) for at, said in axis.ticks), title)


def _each(values: Mapping[ArmName, str]) -> str:
    return ", ".join(f"{arm} {said}" for arm, said in values.items())


def _points(share: float) -> str:
    return f"{plain_number(100 * share, 2)} points"
