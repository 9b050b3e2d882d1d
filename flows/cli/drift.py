"""`understudy drift`: did the data change? For a model, or for any two tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import config_of
from flows.cli.options import Json, example
from flows.cli.screen import console, plain, print_json, progress, say, table
from flows.cli.writing import unwritable
from flows.errors import ConfigError
from flows.reports.text import clean, short

if TYPE_CHECKING:
    from flows.cli.drifting import Asked, Found
    from flows.config.model import ModelConfig
    from flows.detection.judging.report import FeatureDrift

FINDING = 1
_SHOWN, _LONG = 60, 60
_COLUMNS = ("feature", "drifted", "D or V", "adjusted p", "PSI", "missing", "outliers", "findings")
_FEW, _NARROW = (0, 1, 4, 7), 100  # of these, on a terminal of fewer characters
_PLACE = "CSV, Parquet (file, folder, pattern) or Delta folder; `@12` behind a Delta folder is its version 12."


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=example(
            "understudy drift --reference may.parquet --current june.parquet --html june.html",
            "understudy drift --reference sales@12 --current sales --joint",
            "understudy drift --reference may.parquet --current june.parquet --save-profile may.json",
            "understudy drift --reference may.json --current july.parquet",
            "understudy drift churn",
            "understudy drift churn --reference old.csv --current new.csv --json",
        )
    )(drift)


def drift(
    model: Annotated[
        str | None,
        typer.Argument(help="Name of a model; without one, any two tables.", metavar="MODEL", show_default=False),
    ] = None,
    *,
    reference: Annotated[
        str | None, typer.Option(help=f"Table to compare with; a model's training rows if absent. {_PLACE}")
    ] = None,
    current: Annotated[str | None, typer.Option(help="Newer table; a model's newest live rows if absent.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be repeated.")] = None,
    categorical: Annotated[
        list[str] | None, typer.Option(help="Numeric column whose values are names; may be repeated.")
    ] = None,
    min_rows: Annotated[
        int | None, typer.Option(help="Fewer rows are 'not enough data'; 1,000 if absent.", min=1)
    ] = None,
    plain_rules: Annotated[
        bool, typer.Option("--plain", help="Fixed thresholds (PSI > 0.2, p < 0.05) without regard to chance.")
    ] = False,
    joint: Annotated[bool, typer.Option("--joint", help="Also look for drift that no single column shows.")] = False,
    threads: Annotated[
        int | None, typer.Option(help="Columns compared at once.", min=1, show_default="processors, up to 4")
    ] = None,
    save_profile: Annotated[
        Path | None,
        typer.Option(help="Keep the reference as FILE.json, without a row of it, for later --reference FILE.json."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report with pictures.", dir_okay=False)] = None,
    as_json: Json = False,
) -> None:
    """
    Compare newer rows with older ones, column by column.

    Exit code 0 if nothing drifted, 1 if something did or there is not enough data to say so. Without a model, columns
    of times and of lists are left out, and named.
    """
    from flows.cli.drifting import Asked, usual_threads

    asked = Asked(
        reference=reference or "",
        current=current or "",
        ignore=tuple(ignore or ()),
        categorical=tuple(categorical or ()),
        min_rows=min_rows,
        plain=plain_rules,
        joint=joint,
        threads=threads or usual_threads(),
        profile=save_profile,
    )
    _refuse([*_mistakes(model, reference, current, asked), *_unwritable("html", html, asked)], model, asked)
    found = _compared(model, asked)
    _tell(found, html, as_json=as_json)
    if found.drifted or not found.report.enough:
        raise typer.Exit(FINDING)


def _tell(found: "Found", html: Path | None, *, as_json: bool) -> None:
    if html is not None:
        found.write(html)
        progress(f"The report is in {html}.")
    if as_json:
        print_json(plain(found.report) | {"joint": plain(found.joint), "left_out": dict(found.left_out)})
    else:
        _show(found)


def _refuse(mistakes: list[str], model: str | None, asked: "Asked") -> None:
    mistakes = [*mistakes, *_profile_mistakes(model, asked), *_unwritable("save-profile", asked.profile, asked)]
    if mistakes:
        raise ConfigError("Nothing was compared.", "; ".join(mistakes) + ".", "See `understudy drift --help`.")


def _compared(model: str | None, asked: "Asked") -> "Found":
    from flows.cli.bars import columns_bar, waiting
    from flows.cli.drifting import live, of_model, of_tables

    if model is None:
        with columns_bar() as done:
            return of_tables(asked, done)
    config = _plainly(config_of(model), asked.plain)
    with waiting(f"Looking at {model}"):
        return of_model(config, asked) if asked.reference else live(config)


def _mistakes(model: str | None, reference: str | None, current: str | None, asked: "Asked") -> list[str]:
    mistakes = []
    if model is None and reference is None and current is None:
        mistakes.append("neither a model nor two tables were given")
    elif (reference is None) != (current is None):
        mistakes.append(f"--{'current' if current is None else 'reference'} is missing beside the other table")
    if model is not None and (asked.ignore or asked.categorical):
        mistakes.append("--ignore and --categorical are for tables: a model's configuration names its columns")
    if model is not None and asked.min_rows is not None:
        mistakes.append("--min-rows is for tables: a model's configuration says detection.min_rows")
    return mistakes


def _plainly(config: "ModelConfig", plain_rules: bool) -> "ModelConfig":
    """The same with fixed thresholds, if they are wanted."""
    if not plain_rules:
        return config
    detection = config.detection.model_copy(update={"correction": "none"})
    return config.model_copy(update={"detection": detection})


def _unwritable(option: str, file: Path | None, asked: "Asked") -> list[str]:
    """Before the comparison, not after it; and never over a table."""
    if file is None:
        return []
    tables = [Path(one).resolve() for one in (asked.reference, asked.current) if one]
    mistakes = [f"--{option} {file} is one of the tables"] if file.resolve() in tables else []
    why = unwritable(file)
    return mistakes + ([] if why is None else [f"--{option}: {why}"])


def _profile_mistakes(model: str | None, asked: "Asked") -> list[str]:
    """What a profile cannot do: it has no rows, and knows of what kind its columns are."""
    from flows.cli.profiles import is_profile

    mistakes, stored = [], is_profile(asked.reference)
    if model is not None and (stored or asked.profile is not None):
        mistakes.append("profiles are for tables: a model's version keeps its own")
    if asked.profile is not None and stored:
        mistakes.append("--reference is a profile already")
    elif asked.profile is not None and not is_profile(asked.profile.name):
        mistakes.append("--save-profile makes a .json of a table")
    if stored and (asked.joint or asked.categorical):
        mistakes.append("--joint and --categorical need the rows of the reference, and a profile has none")
    return mistakes


def _show(found: "Found") -> None:
    from rich.text import Text

    report = found.report
    rows = f"{report.rows:,} rows beside {report.reference_rows:,} of {found.reference_name}"
    say(Text(f"{_label(found.title)}: {clean(report.said)}", style="bold"), Text(clean(rows), style="dim"))
    lines = [_line(feature) for feature in report.features[:_SHOWN]]
    if lines:
        chosen = _FEW if console().width < _NARROW else range(len(_COLUMNS))
        columns, cells = [_COLUMNS[i] for i in chosen], [[line[i] for i in chosen] for line in lines]
        say(table("Columns, those that moved most first", columns, cells))
    left = len(report.features) - len(lines)
    if left > 0:
        say(f"{left:,} more columns moved no more than these; --json has all.")
    for name, why in list(found.left_out.items())[:_SHOWN]:
        say(Text(f"Column {_label(name)} was not compared: {why}."))
    if found.joint is not None:
        say(Text(f"Together: {clean(found.joint.said)}"))


def _line(one: "FeatureDrift") -> tuple[object, ...]:
    """What was not measured has no number."""
    numbers = (one.statistic, one.adjusted, one.psi) if one.enough else (None,) * 3
    outliers = f"{one.outlier_share:.1%}" if one.enough and one.kind == "numeric" else None
    missing = f"{one.missing_change:+.1%}" if one.missing_change else None
    verdict = "high" if one.high else "yes" if one.drifted else "no" if one.enough else "unknown"
    return _label(one.name), verdict, *numbers, missing, outliers, clean("; ".join(one.findings)) or None


def _label(name: str) -> str:
    """A name on one line, whatever is in it."""
    return short(" ".join(name.split()), _LONG) or repr(name)


__all__ = ["add_to", "drift"]
