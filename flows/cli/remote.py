"""`understudy models remote`: versions that are model servers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import models
from flows.cli.office import config_of, opened_registry, settings
from flows.cli.options import Actor, DryRun, Json, Model, example, moment
from flows.cli.screen import facts, print_json, say
from flows.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from flows.config.model import ModelConfig
    from flows.training.remote import Probe
    from registry.records.upstream import Upstream
    from registry.records.version import ModelVersion

app = typer.Typer(no_args_is_help=True)
_FIELDS = (
    *("url", "protocol", "model", "layout", "output", "request"),
    *("scores", "score", "headers", "deadline_ms", "threshold"),
)
_ADD = example(
    "understudy models remote add churn --url http://10.0.0.7:8080 --protocol v2 --name churn --output predict_proba"
    " --score /1",
    "understudy models remote add churn --file upstream.json --dry-run",
)


def add_to(_parent: typer.Typer) -> None:
    """Add the commands below `models`."""
    models.app.add_typer(app, name="remote", epilog=_ADD)


@app.callback()
def remote() -> None:
    """Let a model server answer as a version: json, v2 (MLServer, Seldon, KServe) or mlflow."""


@app.command(epilog=_ADD)
def add(
    model: Model,
    *,
    actor: Actor,
    url: Annotated[str | None, typer.Option(help="Of the service (json), or the server's base (v2, mlflow).")] = None,
    protocol: Annotated[str | None, typer.Option(help="json, v2 or mlflow.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name on a v2 server.")] = None,
    layout: Annotated[str | None, typer.Option(help="named, placed, columns, matrix or split.")] = None,
    output: Annotated[str | None, typer.Option(help="Output tensor of a v2 server, e.g. predict_proba.")] = None,
    request: Annotated[str | None, typer.Option(help='Template, e.g. {"rows": "$rows"}.')] = None,
    scores: Annotated[str | None, typer.Option(help="JSON pointer to the list of scores.")] = None,
    score: Annotated[str | None, typer.Option(help="JSON pointer to the number in each entry, e.g. /1.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; secrets as ${VARIABLE}.")] = None,
    deadline_ms: Annotated[float | None, typer.Option(help="Of the champion's answer.")] = None,
    threshold: Annotated[float | None, typer.Option(help="A binary score at or above it predicts 1.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="upstream.json with all of these; options given besides win.")
    ] = None,
    sample: Annotated[
        Path | None, typer.Option(help="Rows to ask: JSON, CSV or Parquet; a typical one if absent.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; written into the audit trail.")] = "a model server",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """
    Register a model server as a version in staging, after really asking it.

    From then on it is a version like any other: promote it, shadow it, roll it back. Secrets of headers are
    read from the environment, here and where the router runs, and are stored nowhere.
    """
    template, headers = _template(request), _headers(header)
    values = (url, protocol, name, layout, output, template, scores, score, headers, deadline_ms, threshold)
    given = {field: value for field, value in zip(_FIELDS, values, strict=True) if value is not None}
    upstream = _upstream(file, given)
    config = config_of(model)
    version, probe = _added(config, upstream, _sample(config, sample), actor, reason, dry_run=dry_run)
    _show(version, probe, upstream, dry_run=dry_run, as_json=as_json)


def _added(
    config: "ModelConfig",
    upstream: "Upstream",
    sample: "pl.DataFrame | None",
    actor: str,
    reason: str,
    *,
    dry_run: bool,
) -> "tuple[ModelVersion, Probe]":
    from flows.training.publish import register
    from flows.training.remote import propose
    from registry.artifacts import ArtifactStore

    artifacts = ArtifactStore(settings().models_dir)
    with opened_registry(config.model) as registry:
        proposal = propose(
            config, upstream, registry, artifacts, sample=sample, actor=actor, reason=reason, at=moment(None)
        )
        version = proposal.version if dry_run else register(proposal, registry, artifacts)
    return version, proposal.probe


def _upstream(file: Path | None, given: dict[str, Any]) -> "Upstream":
    import msgspec

    from registry.records.upstream import Upstream

    try:
        kept = msgspec.json.decode(file.read_bytes(), type=dict[str, Any]) if file else {}
        return msgspec.convert(kept | given, Upstream)
    except OSError as error:
        raise ConfigError(f"{file} was not read.", f"{error.strerror}.", "Give the path of a JSON file.") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(
            "The upstream was refused.", f"{error}.", "Correct it; docs/router/remote.md has every field."
        ) from error


def _template(text: str | None) -> Any:
    import msgspec

    try:
        return None if text is None else msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"--request {text!r} was refused.", f"It is no JSON: {error}.", """Write it as '{"rows": "$rows"}'."""
        ) from error


def _headers(pairs: list[str] | None) -> dict[str, str] | None:
    wrong = [pair for pair in pairs or [] if "=" not in pair]
    if wrong:
        said = ", ".join(pair.split()[0] if pair.split() else "an empty one" for pair in wrong)  # may hold a secret
        raise ConfigError(
            "The headers were refused.", f"{said} has no '='.", "Write --header 'authorization=Bearer ${TOKEN}'."
        )
    parts = [pair.partition("=") for pair in pairs or []]
    return {name.strip(): value.strip() for name, _, value in parts} or None


def _sample(config: "ModelConfig", file: Path | None) -> "pl.DataFrame | None":
    from flows.data import read_table
    from flows.data.tables import raw_table

    if file is not None:
        return _json_rows(file) if file.suffix.lower() == ".json" else read_table(file)
    with opened_registry() as registry:
        first = registry.champion(config.model) is None
    return raw_table(config) if first and config.data.source else None


def _json_rows(file: Path) -> "pl.DataFrame":
    import msgspec
    import polars as pl

    try:
        said = msgspec.json.decode(file.read_bytes(), type=dict[str, Any] | list[dict[str, Any]])
        return pl.DataFrame([said] if isinstance(said, dict) else said)
    except (OSError, msgspec.MsgspecError, pl.exceptions.PolarsError) as error:
        raise ConfigError(
            f"The sample {file} was not read.", f"{error}.", "Write one object of features, or a list of them."
        ) from error


def _show(version: "ModelVersion", probe: "Probe", upstream: "Upstream", *, dry_run: bool, as_json: bool) -> None:
    late = probe.latency_ms > upstream.deadline_ms
    said = {
        "model": version.model,
        "version": version.version,
        "registered": not dry_run,
        "url": probe.url,
        "request": probe.request,
        "scores": probe.scores,
        "latency_ms": probe.latency_ms,
        "secrets": upstream.secrets(),
    }
    if as_json:
        return print_json(said)
    say(facts(f"{version.model} {version.version}", said))
    if late:
        say(f"It took longer than its deadline of {upstream.deadline_ms:g} ms.")
    if dry_run:
        return say("Nothing was stored.")
    return say(f"Next: `understudy promote {version.model} {version.version} --reason ...`")
