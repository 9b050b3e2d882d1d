"""The summary as one self-contained HTML page."""

from collections.abc import Sequence
from html import escape

from flows.replay.summary import Ending, Retraining, Summary, headline
from flows.reports.page import page as framed
from flows.reports.page import table


def page(summary: Summary, curve_svg: str) -> str:
    """
    Write the page.

    Args:
        summary: Of a finished replay.
        curve_svg: The curve; put into the page, so that it needs no other file.
    """
    books = "exact" if summary.exact else '<span class="bad">not exact</span>'
    verdict = "good" if summary.paid and summary.exact and not summary.bad_findings() else "bad"
    reports = {address.rsplit("/", 1)[-1].removesuffix(".html"): address for address in summary.reports}
    parts = [
        f"<h1>Replay {escape(summary.name)}</h1>",
        f'<div class="verdict {verdict}"><strong>{escape(headline(summary))}.</strong><br>'
        f"{summary.rows:,} rows in {summary.batches} batches, {summary.start:%Y-%m-%d} to {summary.end:%Y-%m-%d}, "
        f"played in {summary.seconds / 60:.1f} minutes. Bookkeeping: {books}.</div>",
        f"<figure>{curve_svg[curve_svg.index('<svg') :]}</figure>",
        _section("Metrics", ["", *summary.served], _metrics(summary), numbers=range(1, 1 + len(summary.served))),
        _section(
            "Retrainings",
            ["id", "at", "why", "made", ""],
            [_retraining(one, reports) for one in summary.retrainings],
        ),
        _section(
            "Rollouts",
            ["id", "challenger", "began", "ended", "largest share", "why", "decisions"],
            [_rollout(one, reports) for one in summary.rollouts],
            numbers=(4,),
        ),
        _section(
            "Rejected challengers",
            ["challenger", "why", ""],
            [
                [escape(one.challenger), escape(one.said), _link(reports.get(one.decision), "report")]
                for one in summary.rejected
            ],
        ),
        _section("Bookkeeping", ["line", "expected", "found", ""], _books(summary), numbers=(1, 2)),
    ]
    return framed(f"Replay {summary.name}", "\n".join(parts))


def _metrics(summary: Summary) -> list[list[str]]:
    return [
        [name, *(f"{value:.4g}" for value in values.values())]
        for name, values in (("served", summary.served), ("first model", summary.frozen))
    ]


def _retraining(one: Retraining, reports: dict[str, str]) -> list[str]:
    first, _, rest = one.reason.partition("; ")
    more = f"<details><summary>what it saw</summary>{escape(rest)}</details>" if rest else ""
    report = reports.get(f"{one.id}-{one.version}")
    return [
        escape(one.id),
        _day(one),
        f"{escape(first)}{more}",
        escape(one.version or one.notes or "nothing"),
        f"{_link(report, 'report')} {_link(one.run, 'run')}",
    ]


def _rollout(one: Ending, reports: dict[str, str]) -> list[str]:
    mine = [address for name, address in reports.items() if name.startswith(f"{one.id}.")]
    return [
        escape(one.id),
        escape(one.challenger) + (' <span class="bad">bad on purpose</span>' if one.bad else ""),
        _day(one),
        escape(one.status.replace("_", " ")),
        f"{one.share:.0%}",
        escape(one.said),
        " ".join(_link(address, str(number)) for number, address in enumerate(mine, 1)),
    ]


def _day(one: Retraining | Ending) -> str:
    return f'<span class="number">{one.at:%Y-%m-%d}</span>'


def _books(summary: Summary) -> list[list[str]]:
    return [
        [
            escape(line.name),
            f"{line.expected:,.10g}",
            f"{line.found:,.10g}",
            "" if line.exact else '<span class="bad">differs</span>',
        ]
        for line in summary.books
    ]


def _link(address: str | None, said: str) -> str:
    return f'<a href="{escape(address)}">{escape(said)}</a>' if address else ""


def _section(title: str, head: list[str], rows: list[list[str]], *, numbers: Sequence[int] = ()) -> str:
    return f"<h2>{escape(title)}</h2>" + (table(head, rows, numbers=tuple(numbers)) if rows else "<p>None.</p>")
