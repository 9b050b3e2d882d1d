"""`understudy check | drift`: is the model still fit, and did its data change?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import config_of, opened_registry, settings
from flows.cli.options import AsOf, Json, Model, example, moment
from flows.cli.screen import facts, print_json, say, table
from flows.errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    from flows.detection.judging.report import DriftReport
    from flows.detection.watch import Look

FINDING = 1


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("understudy check churn"))(check)
    app.command(
        epilog=example("understudy drift churn", "understudy drift churn --reference old.csv --current new.csv")
    )(drift)


def check(model: Model, *, as_of: AsOf = None, as_json: Json = False) -> None:
    """
    Ask every rule about the newest rows; changes nothing.

    Exit code 1 if a rule would retrain or investigate, or cannot be decided for want of data.
    """
    look = look_at(model, moment(as_of))
    if as_json:
        print_json(look)
    else:
        _show_decision(look)
    if verdict(look) != "fit":
        raise typer.Exit(FINDING)


def drift(
    model: Model,
    *,
    reference: Annotated[Path | None, typer.Option(help="Table to compare with; the training rows if absent.")] = None,
    current: Annotated[Path | None, typer.Option(help="Newer table; the newest live rows if absent.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """
    Compare the newest rows with those that the champion learned from.

    Exit code 1 if a feature drifted, or there is not enough data to say so.
    """
    if (reference is None) != (current is None):
        raise ConfigError("Nothing was compared.", "One table alone was given.", "Give both --reference and --current.")
    report = _between(model, reference, current) if reference and current else look_at(model, moment(as_of)).drift
    print_json(report) if as_json else _show_drift(model, report)
    if report.drifted or not report.enough:
        raise typer.Exit(FINDING)


def look_at(model: str, at: "datetime") -> "Look":
    """
    Measure and decide; nothing is stored.

    Raises:
        NotFound: If the model has no champion.
    """
    from flows.client import RouterClient
    from flows.detection.univariate.profile import ReferenceProfile
    from flows.detection.watch import measure
    from registry.artifacts import ArtifactStore
    from registry.errors import NotFound

    where, config = settings(), config_of(model)
    with opened_registry(model) as registry:
        champion = registry.champion(model)
        if champion is None:
            raise NotFound(
                f"{model} was not looked at.", "It has no champion.", f"Train one: `understudy train {model}`."
            )
        store = ArtifactStore(where.models_dir)
        raw = store.read(model, champion.version, "reference.json", champion.artifact_digest)
        with RouterClient(where) as client:
            return measure(config, registry, client, champion, ReferenceProfile.from_json(raw), at)


def verdict(look: "Look") -> str:
    """Retrain, investigate, not enough data, or fit."""
    seen = look.decision
    if seen.triggered or seen.investigate:
        return "retrain" if seen.triggered else "investigate"
    return "not enough data" if seen.undecided else "fit"


def _between(model: str, reference: Path, current: Path) -> "DriftReport":
    from flows.data import prepare, read_table
    from flows.detection.drift import drift_between

    config = config_of(model)
    return drift_between(prepare(config, read_table(reference)), prepare(config, read_table(current)), config)


def _show_decision(look: "Look") -> None:
    seen = look.decision
    said = {
        "verdict": verdict(look),
        "champion": look.champion,
        "rule": seen.rule,
        "severity": f"{seen.severity}: {seen.recommendation}",
        "drift": f"{seen.drift_type} ({look.drift.said})",
        "causes": "\n".join(seen.causes) or None,
        "not enough data for": seen.undecided,
    }
    say(facts(look.model, said))
    say(table("Metrics that rules see", ("metric", "value"), seen.evidence.items()))


def _show_drift(model: str, report: "DriftReport") -> None:
    columns = ("feature", "drifted", "D or V", "adjusted p", "PSI", "missing change", "outliers", "findings")
    rows = [
        (f.name, f.drifted, f.statistic, f.adjusted, f.psi, f.missing_change, f.outlier_share, f.findings)
        for f in report.features
    ]
    say(table(f"{model}: {report.said}", columns, rows) if rows else f"{model}: {report.said}")
