"""The summary for a terminal."""

import math

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from flows.replay.summary import Summary, headline


def tables(summary: Summary) -> list[RenderableType]:
    """Lay out everything that a replay showed, the result last."""
    parts: list[RenderableType] = [_curve(summary), _metrics(summary)]
    parts += [
        *_listed("Retrainings", ("id", "at", "reason", "made", "run"), _retrainings(summary)),
        *_listed("Rollouts", ("id", "challenger", "ended", "most", "why"), _rollouts(summary)),
        *_listed("Rejected challengers", ("challenger", "why"), [(r.challenger, r.said) for r in summary.rejected]),
        *_listed("Bookkeeping", ("", "expected", "found"), _books(summary)),
    ]
    parts += [f"[bold]{name}[/bold] {escape(address)}" for name, address in summary.pages.items()]
    parts += [f"[bold]report[/bold] {escape(address)}" for address in summary.reports[-3:]]
    exact = "exact" if summary.exact else "[red]NOT EXACT[/red]"
    parts += [f"[red]{escape(finding)}[/red]" for finding in summary.bad_findings()]
    parts.append(f"Bookkeeping {exact}. [bold]{escape(headline(summary))}[/bold]")
    return parts


def _curve(summary: Summary, rows: int = 12) -> Table:
    """The series in at most so many stretches, each weighted by its rows."""
    table = Table("until", "rows", "served", "first model", title=f"{summary.metric} over time", title_justify="left")
    size = -(-len(summary.series) // rows) or 1
    for begin in range(0, len(summary.series), size):
        part = summary.series[begin : begin + size]
        total = sum(point.rows for point in part)
        served = _mean([(point.served[summary.metric], point.rows) for point in part])
        frozen = _mean([(point.frozen[summary.metric], point.rows) for point in part])
        table.add_row(f"{part[-1].at:%Y-%m-%d}", str(total), f"{served:.4g}", f"{frozen:.4g}")
    return table


def _mean(values: list[tuple[float, int]]) -> float:
    """Weigh by rows; batches without a value, such as the AUC of a single class, are left out."""
    known = [(value, rows) for value, rows in values if not math.isnan(value)]
    total = sum(rows for _, rows in known)
    return sum(value * rows for value, rows in known) / total if total else math.nan


def _metrics(summary: Summary) -> Table:
    table = Table("", *summary.served, title=f"All {summary.rows} rows", title_justify="left")
    table.add_row("served", *(f"{value:.4g}" for value in summary.served.values()))
    table.add_row("first model", *(f"{value:.4g}" for value in summary.frozen.values()))
    return table


def _retrainings(summary: Summary) -> list[tuple[str, ...]]:
    return [
        (r.id, f"{r.at:%Y-%m-%d}", r.reason.partition("; ")[0], r.version or r.notes or "nothing", r.run or "")
        for r in summary.retrainings
    ]


def _rollouts(summary: Summary) -> list[tuple[str, ...]]:
    return [
        (
            one.id,
            f"{one.challenger} (bad on purpose)" if one.bad else one.challenger,
            one.status,
            f"{one.share:.0%}",
            one.said,
        )
        for one in summary.rollouts
    ]


def _books(summary: Summary) -> list[tuple[str, ...]]:
    return [
        (line.name if line.exact else f"{line.name}  (differs)", f"{line.expected:,.10g}", f"{line.found:,.10g}")
        for line in summary.books
    ]


def _listed(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[RenderableType]:
    if not rows:
        return [f"[bold]{title}[/bold]: none"]
    table = Table(title=title, title_justify="left")
    for column in columns:
        numeric = column in ("expected", "found", "most")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return [table]
