"""`understudy check`: is the model still fit?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.bars import waiting
from flows.cli.office import config_of, opened_registry, settings
from flows.cli.options import AsOf, Json, Model, example, moment
from flows.cli.screen import facts, print_json, progress, say, table
from flows.cli.writing import refuse_unwritable
from flows.reports.text import chance, short

if TYPE_CHECKING:
    from datetime import datetime

    from flows.detection.look import Look
    from flows.detection.standard import Kept
    from flows.detection.watch import Watched
    from registry.home import Settings
    from registry.records.retraining import Severity
    from registry.records.version import ModelVersion

FINDING = 1
BY_SEVERITY: "dict[Severity, int]" = {"LOW": FINDING, "MEDIUM": FINDING, "HIGH": 4, "CRITICAL": 5}
"""Exit codes of findings; 2 is wrong use, 3 a failure."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("understudy check churn", "understudy check churn --html churn.html --json"))(check)


def check(
    model: Model,
    *,
    html: Annotated[Path | None, typer.Option(help="Write a report with pictures.", dir_okay=False)] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """
    Measure the newest rows, ask every rule, and say what follows; changes nothing.

    Exit code 0 if the model is fit; 1 if a rule would retrain or investigate, or cannot be decided for want of data.
    A finding of HIGH severity makes it 4, a CRITICAL one 5; 2 is wrong use, 3 a failure.
    """
    refuse_unwritable(html, "Nothing was measured.")
    with waiting(f"Looking at {model}"):
        found = look_at(model, moment(as_of))
    if html is not None:
        _write(html, found)
    if as_json:
        print_json(found.look)
    else:
        _show(found.look)
    if verdict(found.look) != "fit":
        raise typer.Exit(BY_SEVERITY[found.look.decision.severity])


def look_at(model: str, at: "datetime") -> "Watched":
    """
    Measure and decide; nothing is stored.

    Raises:
        NotFound: If the model has no champion.
    """
    from flows.client import RouterClient
    from flows.detection.watch import measure

    where, champion, kept = kept_by_champion(model)
    with opened_registry() as registry, RouterClient(where) as client:
        return measure(config_of(model), registry, client, champion, kept, at)


def kept_by_champion(model: str) -> "tuple[Settings, ModelVersion, Kept]":
    """
    Find the champion, and what it keeps to be held against.

    Raises:
        NotFound: If the model has no champion.
    """
    from flows.detection.standard import read_kept
    from registry.artifacts import ArtifactStore
    from registry.errors import NotFound

    where = settings()
    with opened_registry(model) as registry:
        champion = registry.champion(model)
    if champion is None:
        raise NotFound(f"{model} was not looked at.", "It has no champion.", f"Train one: `understudy train {model}`.")
    return where, champion, read_kept(ArtifactStore(where.models_dir), champion)


def verdict(look: "Look") -> str:
    """Retrain, investigate, not enough data, or fit."""
    seen = look.decision
    if seen.triggered or seen.investigate:
        return "retrain" if seen.triggered else "investigate"
    return "not enough data" if seen.undecided else "fit"


def _write(file: Path, found: "Watched") -> None:
    from flows.reports.drift.report import drift_report
    from flows.reports.page import keep

    keep({file: drift_report(found.content).encode()})
    progress(f"The report is in {file}.")


def _show(look: "Look") -> None:
    from flows.config.durations import text

    seen = look.decision
    harm = None if seen.harm is None else f"{seen.harm:.1%} of the loss ({seen.basis})"
    said = {
        "verdict": verdict(look),
        "champion": look.champion,
        "rule": seen.rule,
        "severity": f"{seen.severity}: {seen.recommendation}",
        "confidence": f"{chance(seen.confidence)} that a retraining is warranted",
        "estimated harm": harm,
        "drift": f"{seen.drift_type} ({look.drift.said})",
        "features first": [short(name, 40) for name in seen.affected_features[:5]] or None,
        "causes": "\n".join(seen.causes) or None,
        "held back": look.held_back,
        "performance": look.performance.said.replace("; ", "\n") if look.performance else None,
        "not enough data for": seen.undecided or None,
        "next look": f"in {text(seen.next_check)}; retraining {seen.cadence}",
    }
    say(facts(look.model, {name: value for name, value in said.items() if value is not None}))
    known = sorted((name, value) for name, value in seen.evidence.items() if value is not None)
    say(table("Metrics that rules see", ("metric", "value"), known))
    unknown = sorted(set(seen.evidence) - {name for name, _ in known})
    if unknown:
        say(f"Not known at this look: {', '.join(unknown)}.")
