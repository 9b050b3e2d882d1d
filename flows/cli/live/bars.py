"""Numbers drawn in a line of text: shares, an interval around 0, how near a limit is."""

import math

from rich.text import Text

FULL, EMPTY, ZERO, GOAL, POINT = "█", "░", "┊", "◆", "●"


def share_bar(shares: list[tuple[float, str]], width: int) -> Text:
    """
    Draw shares of 1 side by side; whoever has any gets at least one character.

    Args:
        shares: Each with its style.
        width: Characters in all.
    """
    cells = [max(1, round(share * width)) if share > 0 else 0 for share, _ in shares]
    if cells:
        cells[cells.index(max(cells))] += width - sum(cells)
    return Text.assemble(*((FULL * n, style) for n, (_, style) in zip(cells, shares, strict=True)))


def gauge(value: float | None, limit: float, width: int) -> Text:
    """Draw how much of a limit is used up: green, from a half on yellow, from nine tenths on red."""
    if value is None or not math.isfinite(value) or limit <= 0:
        return Text("·" * width, style="dim")
    used = min(max(value / limit, 0.0), 1.0)
    filled = math.ceil(used * width) if used > 0 else 0
    style = "green" if used < 0.5 else "yellow" if used < 0.9 else "red"
    return Text.assemble((FULL * filled, style), (EMPTY * (width - filled), "dim"))


def interval(low: float | None, estimate: float, high: float | None, goal: float, width: int) -> Text:
    """
    Draw an interval, with 0 and the goal where they lie.

    Args:
        low: Lower end; None is minus infinity.
        estimate: Between the two.
        high: Upper end; None is infinity.
        goal: What the estimate should reach.
        width: Characters; at least 10.
    """
    known = [one for one in (low, estimate, high, goal, 0.0) if one is not None and math.isfinite(one)]
    least, most = min(known), max(known)
    room = (most - least or 1.0) * 0.06
    least, most = least - room, most + room

    def place(value: float) -> int:
        return round((value - least) / (most - least) * (width - 1))

    first, last = (0 if low is None else place(low)), (width - 1 if high is None else place(high))
    line = ["─" if first <= at <= last else " " for at in range(width)]
    line[place(0.0)] = ZERO
    line[first], line[last] = "◂" if low is None else "├", "▸" if high is None else "┤"
    if goal != 0:
        line[place(goal)] = GOAL
    line[place(estimate)] = POINT
    sure = "green" if low is not None and low > 0 else "red" if high is not None and high < 0 else "yellow"
    styles = {ZERO: "bold", GOAL: "bold green", POINT: f"bold {sure}"}
    return Text.assemble(*((one, styles.get(one, sure)) for one in line))
