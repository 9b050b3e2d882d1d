"""The summary as one self-contained HTML page."""

from collections.abc import Iterable, Sequence
from html import escape

from flows.replay.summary import Summary, headline

_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem; font-size: .9em; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; background: #fff; border-radius: 6px; } figure svg { width: 100%; height: auto; }
.bad { color: #d1242f; font-weight: 600; } .lead { font-size: 1.15em; }
"""


def page(summary: Summary, curve_svg: str) -> str:
    """
    Write the page.

    Args:
        summary: Of a finished replay.
        curve_svg: The curve; put into the page, so that it needs no other file.
    """
    books = "exact" if summary.exact else '<span class="bad">not exact</span>'
    parts = [
        f"<h1>Replay {escape(summary.name)}</h1>",
        f'<p class="lead">{escape(headline(summary))}.</p>',
        f"<p>{summary.rows} rows in {summary.batches} batches, {summary.start:%Y-%m-%d} to {summary.end:%Y-%m-%d}, "
        f"played in {summary.seconds / 60:.1f} minutes. Bookkeeping: {books}.</p>",
        f"<figure>{curve_svg[curve_svg.index('<svg') :]}</figure>",
        _section(
            "Metrics",
            ("", *summary.served),
            [("served", *summary.served.values()), ("first model", *summary.frozen.values())],
        ),
        _section("Retrainings", ("id", "at", "trigger", "reason", "made", "run"), _retrainings(summary)),
        _section("Rollouts", ("id", "challenger", "began", "ended", "largest share", "why"), _rollouts(summary)),
        _section("Rejected challengers", ("challenger", "why"), [(r.challenger, r.said) for r in summary.rejected]),
        _section("Reports", ("file",), [(_link(address, address),) for address in summary.reports]),
        _section("Bookkeeping", ("line", "expected", "found", ""), _books(summary)),
    ]
    title = escape(f"Replay {summary.name}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{"".join(parts)}</body></html>'
    )


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def _retrainings(summary: Summary) -> list[tuple[object, ...]]:
    return [
        (r.id, f"{r.at:%Y-%m-%d}", r.trigger, r.reason, r.version or r.notes or "nothing", _link(r.run, "open"))
        for r in summary.retrainings
    ]


def _rollouts(summary: Summary) -> list[tuple[object, ...]]:
    return [
        (
            one.id,
            f"{one.challenger} (deliberately bad)" if one.bad else one.challenger,
            f"{one.at:%Y-%m-%d}",
            one.status,
            f"{one.share:.0%}",
            one.said,
        )
        for one in summary.rollouts
    ]


def _books(summary: Summary) -> list[tuple[object, ...]]:
    return [
        (line.name, line.expected, line.found, "" if line.exact else Markup('<span class="bad">differs</span>'))
        for line in summary.books
    ]


def _link(address: str | None, said: str) -> object:
    return Markup(f'<a href="{escape(address)}">{escape(said)}</a>') if address else ""


def _section(title: str, columns: Sequence[str], rows: Sequence[Iterable[object]]) -> str:
    if not rows:
        return f"<h2>{escape(title)}</h2><p>None.</p>"
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, Markup):
        return f"<td>{value}</td>"
    if isinstance(value, int | float):
        return f'<td class="n">{value:,.6g}</td>'
    return f"<td>{escape(str(value))}</td>"
