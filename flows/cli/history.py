"""`understudy history`: what every look at a model found, as a list and as time series."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from flows.cli.office import meant, opened_registry
from flows.cli.options import Actor, AsOf, DryRun, Json, Limit, Model, example, moment
from flows.cli.screen import print_json, say, table
from flows.cli.sparkline import sparkline
from flows.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.records.history import PastFeature, PastLook

_NAMED = 3
_YEAR, _MONTH = timedelta(days=365), timedelta(days=30)


class Keep(NamedTuple):
    """What stays: looks younger than *age*, or the newest *newest*."""

    age: timedelta | None = None
    newest: int | None = None


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=example(
            "understudy history churn --since 30d",
            "understudy history churn --feature age --plot age.html",
            "understudy history churn --prune --keep 1y --dry-run",
        )
    )(history)


def history(
    model: Model,
    *,
    feature: Annotated[str | None, typer.Option(help="Show one feature as a time series.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Looks at or after this moment (ISO 8601), or no older than e.g. 30d.")
    ] = None,
    limit: Limit = 100,
    plot: Annotated[Path | None, typer.Option(help="Draw it into this file, .html or .svg.")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove looks that --keep does not keep.")] = False,
    keep: Annotated[
        str | None, typer.Option(help="With --prune: an age (1y, 90d, 8w), or how many of the newest (500).")
    ] = None,
    dry_run: DryRun = False,
    actor: Actor,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """List the looks at a model, newest first: severity, what drifted, the error."""
    now = moment(as_of)
    _refuse_muddle(plot, keep, prune=prune, dry_run=dry_run)
    if prune:
        return _prune(model, keep or "", actor, now, dry_run=dry_run, as_json=as_json)
    with opened_registry(model) as registry:
        looks = registry.drift_history(model, feature, _since(since, now), limit)
    if feature is not None:
        _refuse_unknown(looks, feature)
    if plot is not None:
        _draw(plot, model, looks, feature)
    if as_json:
        return print_json(looks)
    return _series(looks, feature) if feature is not None else _list(looks)


def kept(text: str) -> Keep:
    """
    Read what --keep says.

    Raises:
        ConfigError: If it is neither an age nor a count above 0.
    """
    if text.isdecimal() and int(text) > 0:
        return Keep(newest=int(text))
    age = _age(text)
    if age is None or age <= timedelta(0):
        why = "It is neither an age nor a number of looks above 0."
        raise ConfigError(f"--keep {text} was not understood.", why, "Write it as 1y, 90d, 8w or 500.")
    return Keep(age=age)


def _age(text: str) -> timedelta | None:
    from flows.config.durations import parse

    years = re.fullmatch(r"(\d{1,4})\s*(y|mo)", text.strip())
    if years is not None:
        return int(years[1]) * (_YEAR if years[2] == "y" else _MONTH)
    try:
        found = parse(text)
    except ValueError:
        return None
    return found if isinstance(found, timedelta) else None


def _since(text: str | None, now: datetime) -> datetime | None:
    age = _age(text) if text is not None else None
    if age is None:
        return moment(text) if text is not None else None
    try:
        return now - age
    except OverflowError:
        return None


def _refuse_muddle(plot: Path | None, keep: str | None, *, prune: bool, dry_run: bool) -> None:
    """Refuse words that do not go together, all at once."""
    wrong = {
        "--prune needs --keep": prune and keep is None,
        "--keep goes with --prune": keep is not None and not prune,
        "--dry-run goes with --prune": dry_run and not prune,
        "--plot does not go with --prune": plot is not None and prune,
        f"{plot} is neither .html nor .svg": plot is not None and plot.suffix not in (".html", ".svg"),
        f"{plot} is no plain file": plot is not None and plot.exists() and not plot.is_file(),
    }
    mistakes = [said for said, is_so in wrong.items() if is_so]
    if mistakes:
        mend = "`understudy history --help` shows how they go together."
        raise ConfigError("`understudy history` was not run.", "; ".join(mistakes) + ".", mend)


def _refuse_unknown(looks: "Sequence[PastLook]", feature: str) -> None:
    """A name that no look knows is a slip, unless there was none yet."""
    from registry.errors import NotFound

    if any(feature in look.features for look in looks) or not looks:
        return
    with_all = {name for look in looks for name in look.drifted}
    raise NotFound(
        f"No look knows a feature {feature!r}.",
        f"{len(looks)} looks were read.",
        f"{meant(feature, with_all)}`understudy history MODEL --json` names all features.",
    )


def _prune(model: str, keep: str, actor: str, now: datetime, *, dry_run: bool, as_json: bool) -> None:
    limits = kept(keep)
    try:
        before = None if limits.age is None else now - limits.age
    except OverflowError:
        before = datetime.min.replace(tzinfo=now.tzinfo)
    with opened_registry(model) as registry:
        count = registry.prune_drift_reports(
            model,
            actor=actor,
            reason=f"keep {keep}",
            at=now,
            before=before,
            keep=limits.newest,
            dry_run=dry_run,
        )
    if as_json:
        return print_json({"model": model, "removed": 0 if dry_run else count, "would_remove": count, "keep": keep})
    return say(f"{count} looks {'would be removed' if dry_run else 'were removed'}; kept: {keep}.")


def _list(looks: "Sequence[PastLook]") -> None:
    rows = [(one.at, one.severity, one.triggered, _drifted(one), one.error, _seen(one)) for one in looks]
    say(table("Looks", ("at", "severity", "triggered", "drifted", "error", "rows"), rows))
    old_first = looks[::-1]
    say(f"error    {sparkline([one.error for one in old_first])}")
    say(f"drifted  {sparkline([float(len(one.drifted)) if one.enough else None for one in old_first])}")


def _series(looks: "Sequence[PastLook]", feature: str) -> None:
    points = [(one, one.features.get(feature)) for one in looks]
    rows = [(one.at, *_numbers(point), one.severity, one.error) for one, point in points]
    columns = ("at", "psi", "statistic", "adjusted p", "missing", "drifted", "severity", "error")
    say(table(f"Feature {feature}", columns, rows))
    for name in ("psi", "statistic"):
        values = [getattr(point, name) if point else None for _, point in reversed(points)]
        say(f"{name:<10} {sparkline(values)}")


def _numbers(point: "PastFeature | None") -> tuple[object, ...]:
    if point is None:
        return (None,) * 5
    return point.psi, point.statistic, point.adjusted, point.missing_change, point.drifted


def _drifted(look: "PastLook") -> str:
    if not look.enough:
        return "not enough data"
    more = len(look.drifted) - _NAMED
    return ", ".join(look.drifted[:_NAMED]) + (f" and {more} more" if more > 0 else "") or "-"


def _seen(look: "PastLook") -> int | None:
    return look.rows or None


def _draw(file: Path, model: str, looks: "Sequence[PastLook]", feature: str | None) -> None:
    from flows.cli.screen import progress
    from flows.reports.history import history_page, history_picture
    from flows.reports.page import keep as write

    made = history_page if file.suffix == ".html" else history_picture
    write({file: made(model, looks[::-1], feature).encode()})
    progress(f"drawn: {file}")
