"""`understudy compare`: two versions live or on a table, or two files of predictions."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from flows.cli.office import config_of, opened_registry, run_flow, settings, version_of
from flows.cli.options import AsOf, Json, example, moment
from flows.cli.screen import print_json
from flows.errors import ConfigError

if TYPE_CHECKING:
    from flows.comparison.cases import Case
    from registry.records.verdict import Decision
    from registry.records.version import ModelVersion
    from registry.store.registry import Registry

FINDING = 1
_WHAT = "Nothing was compared."
_FILES, _POLICY = "Two files of predictions", "Policy, for two files"
Names = tuple[str, str | None, str | None]  # model, champion, challenger


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=example(
            "understudy compare --champion old.parquet --challenger new.parquet --key customer --label left",
            "understudy compare --champion a.csv --challenger b.csv --unpaired --metric revenue --covariate spent",
            "understudy compare churn --challenger v1.2.0",
            "understudy compare churn --champion v1.0.0 --challenger v1.1.0 --data newest.csv",
        )
    )(compare)


def compare(
    model: Annotated[
        str | None, typer.Argument(help="Name of the model; not needed for files.", metavar="MODEL", show_default=False)
    ] = None,
    *,
    champion: Annotated[
        str | None, typer.Option(help="A version, or a file of its predictions; the one in production if absent.")
    ] = None,
    challenger: Annotated[
        str | None, typer.Option(help="A version, or a file of its predictions; the newest other one if absent.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Table whose rows both versions score, without any server.")] = None,
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="With --data: also rows as old as those they learned from.")
    ] = False,
    label: Annotated[str | None, typer.Option(help="Column of the label.", rich_help_panel=_FILES)] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="Label that counts as 1, e.g. yes; the others count as 0.", rich_help_panel=_FILES),
    ] = None,
    score: Annotated[
        str | None, typer.Option(help="Column of the score, or predicted value.", rich_help_panel=_FILES)
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Column that says whom a row is about.", rich_help_panel=_FILES)
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of the time.", rich_help_panel=_FILES)] = None,
    segment: Annotated[
        list[str] | None, typer.Option(help="Column whose levels are shown; repeatable.", rich_help_panel=_FILES)
    ] = None,
    kpi: Annotated[
        list[str] | None, typer.Option(help="Column of a KPI to show; repeatable.", rich_help_panel=_FILES)
    ] = None,
    covariate: Annotated[
        str | None, typer.Option(help="Column known before the test (CUPED).", rich_help_panel=_FILES)
    ] = None,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Different callers, as in an A/B test.", rich_help_panel=_FILES)
    ] = False,
    shared: Annotated[
        bool, typer.Option("--shared", help="Compare only keys that are in both.", rich_help_panel=_FILES)
    ] = False,
    share: Annotated[
        float | None, typer.Option(help="Planned share of the challenger; checks the split.", rich_help_panel=_FILES)
    ] = None,
    task: Annotated[
        Literal["binary", "regression"] | None,
        typer.Option(help="Seen by the labels if absent.", rich_help_panel=_FILES),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Primary metric or KPI column; auc or rmse if absent.", rich_help_panel=_POLICY)
    ] = None,
    direction: Annotated[
        Literal["higher", "lower"] | None,
        typer.Option(help="Which way a KPI is better; higher if absent.", rich_help_panel=_POLICY),
    ] = None,
    goal: Annotated[
        list[str] | None, typer.Option(help="Another metric to win by; repeatable.", rich_help_panel=_POLICY)
    ] = None,
    guardrail: Annotated[
        list[str] | None,
        typer.Option(
            help="METRIC:MARGIN that must not be lost, or METRIC:MARGIN:absolute; repeatable.", rich_help_panel=_POLICY
        ),
    ] = None,
    rule: Annotated[
        Literal["superiority", "non_inferiority"] | None,
        typer.Option(help="Better, or not worse by --margin.", rich_help_panel=_POLICY),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="Tolerated share of the loss; 0.02 if absent.", rich_help_panel=_POLICY)
    ] = None,
    min_improvement: Annotated[
        float | None,
        typer.Option(
            help="Smallest relative gain that needs no people; 2 % of AUC, else 5 %.", rich_help_panel=_POLICY
        ),
    ] = None,
    alpha: Annotated[float | None, typer.Option(help="Error rate; 0.05 if absent.", rich_help_panel=_POLICY)] = None,
    method: Annotated[
        Literal["fixed", "always_valid", "group_sequential"] | None,
        typer.Option(
            help="Unpaired: looked at once (default), at any time, or --looks times until --horizon.",
            rich_help_panel=_POLICY,
        ),
    ] = None,
    looks: Annotated[int | None, typer.Option(help="Planned looks.", rich_help_panel=_POLICY)] = None,
    horizon: Annotated[int | None, typer.Option(help="Planned rows of both together.", rich_help_panel=_POLICY)] = None,
    min_rows: Annotated[
        int | None, typer.Option(help="Fewer rows promote nothing; 200, unpaired 100.", rich_help_panel=_POLICY)
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report there, one HTML file.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """
    Which model is better? Exit code 1 unless the challenger should be promoted.

    Two files of predictions (CSV or Parquet) need no server, no registry, no configuration.

    Their rows are matched by key, or are different callers when no key is in both.

    Two versions are compared on the newest labelled live rows, or on the table given by --data.
    """
    from flows.cli.comparing import Words

    words = Words(**{name: value for name, value in locals().items() if name in Words.__dataclass_fields__})
    at = moment(as_of) if as_of else None
    words.refuse_report()
    if words.means_files():
        found = _files(words, at)
    else:
        words.refuse_file_options()
        if model is None:
            raise ConfigError(_WHAT, "Neither MODEL nor two files were given.", "See `understudy compare --help`.")
        names = (model, champion, challenger)
        found = _table(names, data, report, at, all_rows=all_rows) if data else _live(names, report, at)
    _answer(found, report, as_json=as_json)


def _answer(found: "Decision", report: Path | None, *, as_json: bool) -> None:
    from flows.cli.verdict import show_verdict

    kept = settings().reports_dir / found.report if found.report else None
    print_json(found) if as_json else show_verdict(found, report or kept)
    if found.outcome != "promote":
        raise typer.Exit(FINDING)


def _files(words: Any, at: datetime | None) -> "Decision":
    from flows.comparison.cases import judge_case
    from flows.comparison.predictions import case_of_files, without_probabilities

    made = case_of_files(words.ask(at))
    found = judge_case(made.case)
    if made.ranks_only:
        found = without_probabilities(found)
    _write(words.report, found, None if made.ranks_only else made.case)
    return found


def _table(names: Names, data: Path, report: Path | None, at: datetime | None, *, all_rows: bool) -> "Decision":
    from flows.comparison.cases import judge_case
    from flows.comparison.policy import configured_policy
    from flows.comparison.tables import case_of_table
    from flows.data import read_table
    from registry.artifacts import ArtifactStore

    table, (model, champion, challenger) = read_table(data), names
    with opened_registry(model) as registry:
        _refuse_impossible(registry, model, challenger, champion)
        ours, theirs = _versions(registry, model, champion, challenger)
    artifacts = ArtifactStore(settings().models_dir)
    config = config_of(model)
    case = case_of_table(config, table, ours, theirs, artifacts, configured_policy(config), at=at, all_rows=all_rows)
    found = judge_case(case)
    _write(report, found, case)
    return found


def _live(names: Names, report: Path | None, at: datetime | None) -> "Decision":
    import msgspec

    from registry.records.verdict import Decision

    model, champion, challenger = names
    with opened_registry(model) as registry:
        _refuse_impossible(registry, model, challenger, champion)
    done = run_flow("flows.comparison.compare.compare", model=model, challenger=challenger, champion=champion, as_of=at)
    found = msgspec.convert(done, Decision)
    _write(report, found, None)
    return found


def _write(path: Path | None, found: "Decision", case: "Case | None") -> None:
    """The report, whole or not at all."""
    if path is None:
        return
    from flows.comparison.evidence import group_evidence, holdout_evidence
    from flows.comparison.groups import GroupCase
    from flows.comparison.rows import HoldoutCase
    from flows.reports.decision import decision_report

    evidence = holdout_evidence(case) if isinstance(case, HoldoutCase) and case.rows.n else None
    page = decision_report(found, group_evidence(case) if isinstance(case, GroupCase) else evidence)
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(page, encoding="utf-8")
    draft.replace(path)


def _versions(
    registry: "Registry", model: str, champion: str | None, challenger: str | None
) -> "tuple[ModelVersion, ModelVersion]":
    """As named; else the one in production, and the newest other one."""
    installed = registry.champion(model)
    ours = version_of(registry, model, champion) if champion else installed
    assert ours is not None
    if challenger:
        return ours, version_of(registry, model, challenger)
    return ours, next(one for one in registry.versions(model) if one.stage != "production")


def _refuse_impossible(registry: "Registry", model: str, challenger: str | None, champion: str | None) -> None:
    """Before a flow is run for nothing."""
    from registry.errors import NotFound

    for version in filter(None, (challenger, champion)):
        version_of(registry, model, version)
    versions, installed = registry.versions(model), registry.champion(model)
    if installed is None and champion is None:
        raise NotFound(_WHAT, f"{model} has no champion.", f"Train one: `understudy train {model}`.")
    if challenger is None and all(one.stage == "production" for one in versions):
        raise NotFound(_WHAT, f"{model} has no version but its champion.", f"Train one: `understudy train {model}`.")
    ours = champion or (installed.version if installed else None)
    if challenger is not None and challenger == ours:
        others = ", ".join(one.version for one in versions if one.version != ours) or "none"
        why = f"{challenger} is the champion and the challenger; other versions of {model}: {others}."
        raise ConfigError(_WHAT, why, "Name two versions, by --challenger and --champion.")
