"""What a replay found, for a terminal."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from flows.backtest.results import Backtest, Difference, PolicyResult
from flows.backtest.words import cells, heading, range_text, schedule_text, tuned_text


def shown(found: Backtest) -> list[RenderableType]:
    """Lay out the table of policies, and what a reader must know."""
    parts: list[RenderableType] = [escape(heading(found)), _policies(found), _paired(found)]
    parts += [f"[bold]Tuned[/bold] {escape(tuned_text(one, found.metric))}" for one in found.tuned]
    parts += [f"[yellow]{escape(note)}[/yellow]" for note in found.notes]
    return parts


def _policies(found: Backtest) -> Table:
    table = _table(
        "Policies",
        ("policy", found.metric, "lost", "of the gain", "retrainings", "share", "delay", "missed", "fits", "seconds"),
    )
    table.add_column("cost", justify="right") if _priced(found) else None
    for one in found.policies:
        table.add_row(*cells(one, priced=_priced(found)))
    return table


def _paired(found: Backtest) -> Table:
    table = _table("Beside never, always and an even schedule with as many retrainings", ("policy",))
    for name in ("against never", "against always", "even schedule", "against even schedule"):
        table.add_column(name, overflow="fold")
    for one in found.policies:
        if one.name not in ("never", "always"):
            table.add_row(one.name, *_differences(one))
    return table


def _differences(one: PolicyResult) -> list[str]:
    by = {difference.against: difference for difference in one.differences}
    even = next((difference for name, difference in by.items() if name.startswith("evenly:")), None)
    return [_cell(by.get("never")), _cell(by.get("always")), schedule_text(one), _cell(even)]


def _cell(difference: Difference | None) -> str:
    return "-" if difference is None else f"{range_text(difference)} {difference.said}"


def _priced(found: Backtest) -> bool:
    return found.policies[0].cost is not None


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return table
