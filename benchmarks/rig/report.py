"""What a benchmark says at its end: Markdown tables, ratios with their spread, and bars that were met or missed."""

import json
import math
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

Figure = dict[str, Any]


class Bar(NamedTuple):
    """What must hold, what was seen, and whether it did; None if it could not be seen."""

    what: str
    seen: str
    met: bool | None


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """As Markdown, to be kept."""
    table = Table(box=box.MARKDOWN)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(width=240)
    console.print(f"\n{title}\n" if title else "", highlight=False)
    console.print(table)


def judge(bars: Sequence[Bar]) -> int:
    """Show them; 0 if none was missed, else 1."""
    words = {True: "met", False: "MISSED", None: "not seen"}
    show(("bar", "seen", ""), [(bar.what, bar.seen, words[bar.met]) for bar in bars])
    return int(any(bar.met is False for bar in bars))


def keep(path: Path | None, **document: Any) -> None:
    """Every single measurement, beside the machine it was made on."""
    if path is not None:
        path.write_text(json.dumps({"machine": machine(), **document}, indent=1) + "\n")


def machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("xgboost", "scikit-learn", "bentoml", "uvicorn"))
    load = os.getloadavg()[0]  # of the last minute, the run's own included
    return f"{os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}, {versions}"


def middle(figures: Sequence[Figure], key: str) -> float:
    values = [figure[key] for figure in figures if key in figure]
    return statistics.median(values) if values else math.nan


def spread(figures: Sequence[Figure], key: str, form: str = ",.0f") -> str:
    """The median, and least to most."""
    values = [figure[key] for figure in figures if key in figure]
    if not values:
        return ""
    around = f" ({min(values):{form}} to {max(values):{form}})" if len(values) > 1 else ""
    return f"{statistics.median(values):{form}}{around}"


def ratios(its: Sequence[Figure], base: Sequence[Figure], key: str = "per_second") -> list[float]:
    """Round by round: whatever else the machine did then, did to both."""
    by_round = {figure["round"]: figure[key] for figure in base}
    return [figure[key] / by_round[figure["round"]] for figure in its if by_round.get(figure["round"])]


def ratio_text(values: Sequence[float]) -> str:
    """The median, and least to most."""
    if not values:
        return ""
    around = f" ({_short(min(values))} to {_short(max(values))})" if len(values) > 1 else ""
    return f"{_short(statistics.median(values))}{around}"


def least(values: Sequence[float], bar: float, what: str) -> Bar:
    """The median must reach *bar*."""
    if not values:
        return Bar(what, "", None)
    found = statistics.median(values)
    return Bar(what, ratio_text(values), found >= bar)


def most(value: float, bar: float, what: str, unit: str) -> Bar:
    """*value* must not exceed *bar*."""
    known = not math.isnan(value)
    return Bar(what, f"{value:,.2f} {unit}" if known else "", value <= bar if known else None)


def none(count: int, what: str, of: int) -> Bar:
    """It must not have happened once."""
    return Bar(what, f"{count:,} of {of:,}", count == 0 if of else None)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
