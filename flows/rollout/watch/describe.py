"""A look at a new champion as Markdown, for the Prefect page."""

from datetime import datetime

from flows.reports.incidents.limits import Figure
from flows.reports.text import in_cell, in_markdown, plain_number
from flows.rollout.watch.look import Looked
from registry.records.watch import Watch

_TITLES = {"hold": "is being watched", "roll_back": "was rolled back", "pass": "stays the champion"}
_UNITS = {"errors": "share of requests", "latency": "ms", "kpi": "value", "loss": "loss"}


def markdown(looked: Looked, watch: Watch, at: datetime) -> str:
    """Say what was seen, limit by limit."""
    head = [
        f"# {in_markdown(watch.model)}: {watch.version} {_TITLES.get(looked.kind, '')}",
        in_markdown(looked.said),
        f"Watch `{watch.id}` against {watch.former}, since {watch.began_at:%Y-%m-%d %H:%M} UTC, until "
        f"{watch.until:%Y-%m-%d %H:%M} UTC; seen {at:%Y-%m-%d %H:%M} UTC.",
    ]
    return "\n\n".join([*head, figure_table(looked.figures)])


def figure_table(figures: tuple[Figure, ...]) -> str:
    """One row per quantity."""
    rows = [
        f"| {figure.name} ({_UNITS[figure.name]}) | {plain_number(figure.now)} | {plain_number(figure.before)} "
        f"| {figure.n} | {verdict(figure.broken)} | {in_cell(figure.said)} |"
        for figure in figures
    ]
    return "\n".join(["| quantity | now | before | n | limit | |", "|---|---|---|---|---|---|", *rows])


def verdict(broken: bool | None) -> str:
    """In one or two words."""
    return {True: "**broken**", False: "kept", None: "too little data"}[broken]
