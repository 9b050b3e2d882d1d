"""The replay as one self-contained page."""

from collections.abc import Sequence

from flows.backtest.results import POINT, Backtest, Difference, PolicyResult
from flows.backtest.smoothing import lost_so_far, smooth
from flows.backtest.words import cells, heading, range_text, schedule_text, share, tuned_text
from flows.reports import svg
from flows.reports.axes import clock, linear, spread
from flows.reports.page import page, table
from flows.reports.text import html

WIDTH = 24  # of the replay: one part of so many is smoothed over
HEIGHT = 240


def document(found: Backtest) -> str:
    """
    Lay out the page: the table first, then the price of being seldom, then each policy over time.

    The same replay gives the same bytes, but for the seconds.
    """
    parts = [
        f"<h1>Backtest of {html(found.model)}</h1><p>{html(heading(found))}</p>",
        *(f"<p><strong>{html(note)}</strong></p>" for note in found.notes),
        "<h2>Policies</h2>" + _policies(found),
        _explained(found),
        _trade(found),
        "<h2>Beside never, always and an even schedule</h2>" + _paired(found),
        *(f"<h2>Tuned</h2><p>{html(tuned_text(one, found.metric))}</p>" for one in found.tuned),
        "<h2>Over time</h2>" + "".join(_curve(found, one) for one in found.policies if _worth_drawing(one)),
        "<h2>Retrainings</h2>" + "".join(_events(one) for one in found.policies if one.events),
    ]
    return page(f"Backtest of {found.model}", "\n".join(parts), strict=True)


def _policies(found: Backtest) -> str:
    priced = found.policies[0].cost is not None
    head = ["policy", found.metric, "lost", "of the gain", "retrainings", "share"]
    head += ["delay", "missed", "fits", "seconds", *(["cost"] if priced else [])]
    rows = [[html(cell) for cell in cells(one, priced=priced)] for one in found.policies]
    return table(head, rows, numbers=tuple(range(1, len(head))), headed=True)


def _explained(found: Backtest) -> str:
    said = "; ".join(f"<b>{html(one.name)}</b>: {html(one.said)}" for one in found.policies)
    better = "more" if found.higher else "less"
    changes = ", ".join(str(change) for change in found.changes) or "none"
    return (
        f'<p class="soft">Of {html(found.metric)}, {better} is better. Lost: points to always; a point is '
        f"{POINT.get(found.metric, 1.0):g}. Of the gain: of always over never. Share: of the batches. Delay: "
        f"batches from a change to the next retraining; changes after batches {changes}; missed: without one before "
        f"the next change. Seconds: of processor time, as if nothing was shared. {said}.</p>"
    )


def _trade(found: Backtest) -> str:
    """Each policy as a point: how often it retrained, and what it reached."""
    x = linear(0.0, 100.0, "share of batches with a retraining", unit=" %")
    y = linear(*spread([one.value for one in found.policies]), found.metric)
    marks, names = "", []
    even = sorted((100 * one.share, one.schedule.value) for one in found.policies if one.schedule)
    ends = {one.name: (100 * one.share, one.value) for one in found.policies if one.name in ("never", "always")}
    line = [ends["never"], *even, ends["always"]]
    marks += svg.line(x, y, [a for a, _ in line], [b for _, b in line], "ideal")
    for one in found.policies:
        marks += svg.dots(x, y, [100 * one.share], [one.value], "challenger")
        names.append(f"{html(one.name)} at {share(one.share)}")
    picture = svg.plot(f"{found.metric} against the share of batches with a retraining", x, y, marks)
    said = f"The dotted line is the even schedule. Points: {', '.join(names)}."
    return svg.figure("What retraining seldom costs", picture, said, wide=True)


def _paired(found: Backtest) -> str:
    head = ["policy", "against never", "against always", "even schedule", "against the even schedule"]
    rows = []
    for one in found.policies:
        if one.name in ("never", "always"):
            continue
        by = {difference.against.partition(":")[0]: difference for difference in one.differences}
        cells = [_cell(by.get("never")), _cell(by.get("always")), schedule_text(one), _cell(by.get("evenly"))]
        rows.append([html(one.name), *cells])
    if not rows:
        return "<p>No other policy was asked for.</p>"
    methods = ", ".join(sorted({d.method for one in found.policies for d in one.differences}))
    return (
        table(head, rows, headed=True)
        + f'<p class="soft">Differences with 95 % intervals; above 0 the policy is better. {html(methods)}. The even '
        "schedule: mean over five choices of its first date, and the worst and the best. The intervals hold for "
        "one comparison; among many policies some look better by luck.</p>"
    )


def _cell(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    kind = {"better": "good", "worse": "bad"}.get(difference.said, "soft")
    return f'{html(range_text(difference))} <span class="{kind}">{html(difference.said)}</span>'


def _worth_drawing(one: PolicyResult) -> bool:
    """Those that retrained every time look like always."""
    return one.name == "always" or 0 < one.share < 1


def _curve(found: Backtest, one: PolicyResult) -> str:
    never = found.policy("never")
    ours, frozen = (smooth(part.series, 1 + found.batches // WIDTH) for part in (one, never))
    x = clock(found.ends[0], found.ends[-1])
    y = linear(*spread([*ours, *frozen]), found.metric)
    marks = "".join(svg.upright(x, event.at, "phase") for event in one.events) if one.share < 1 else ""
    marks += svg.line(x, y, found.ends, _gaps(frozen), "champion") + svg.line(
        x, y, found.ends, _gaps(ours), "challenger"
    )
    picture = svg.plot(f"{found.metric} of {one.name} and never, batch by batch", x, y, marks, height=HEIGHT)
    key = svg.legend([("challenger", html(one.name)), ("champion", "never")])
    lost = lost_so_far(one, found)
    said = "Upright lines are retrainings. " if one.share < 1 else ""
    said += f"Half of what it lost to always was lost by batch {lost}." if lost is not None and one.lost > 0 else ""
    return svg.figure(f"{one.name}: {found.metric} {one.value:.4g}", picture + key, said, wide=True)


def _gaps(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _events(one: PolicyResult) -> str:
    rows = [[str(event.batch), html(event.rows), html(event.why)] for event in one.events]
    listed = table(["after batch", "learned from", "why"], rows, numbers=(0,))
    return f"<details><summary>{html(one.name)}: {len(rows)}</summary>{listed}</details>"
