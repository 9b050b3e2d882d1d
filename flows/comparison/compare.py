"""Compare two registered versions on the newest labelled rows."""

from datetime import UTC, datetime
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from flows.client import RouterClient
from flows.client.naming import named
from flows.comparison.identities import digest_of, identities
from flows.comparison.keep import keep
from flows.comparison.policy import configured_policy
from flows.comparison.rows import HoldoutCase, paired_rows
from flows.comparison.scoring import TableScorer
from flows.config.forms import ModelName, Moment, VersionName
from flows.config.load import named_model, registered_config
from flows.config.model import ModelConfig
from flows.data.live import live_frame
from flows.data.rows import feature_rows
from flows.errors import NotEnoughData
from flows.reports.decision import decision_markdown
from registry.artifacts import ArtifactStore
from registry.errors import NotFound
from registry.home import Settings
from registry.records.verdict import Decision
from registry.records.version import ModelVersion
from registry.store.registry import Registry


@flow(name="compare", flow_run_name=named("compare", "the only model"))
def compare(
    model: ModelName | None = None,
    challenger: VersionName | None = None,
    champion: VersionName | None = None,
    rows: Annotated[int, Field(ge=1, le=1_000_000)] = 2000,
    as_of: Moment | None = None,
) -> dict[str, Any]:
    """
    Judge a challenger on the newest labelled requests.

    Args:
        model: Name of the model; the only one there is if empty.
        challenger: Version; the newest one that is not in production if empty.
        champion: Version; the one in production if empty.
        rows: How many of the newest labelled requests.
        as_of: The model's clock; now if empty.
    """
    settings = Settings().prepare()
    model = named_model(model, settings)
    config = registered_config(model, settings)
    with Registry.open(settings.registry_url) as registry, RouterClient(settings) as client:
        ours = registry.version(model, champion) if champion else _champion(registry, model)
        theirs = registry.version(model, challenger) if challenger else _newest(registry, model)
        decision = judge(settings, config, client, ours, theirs, rows, as_of or datetime.now(UTC))
        registry.save_decision(decision)
    create_markdown_artifact(
        key=f"compare-{model.replace('_', '-')}",
        markdown=decision_markdown(decision, decision.report),
        description=decision.headline,
    )
    return decision.to_dict()


def judge(
    settings: Settings,
    config: ModelConfig,
    client: RouterClient,
    champion: ModelVersion,
    challenger: ModelVersion,
    rows: int,
    now: datetime,
) -> Decision:
    """
    Score the same rows with both, compare, and write the report.

    Only rows newer than what either has learned from are used.
    """
    ends = [version.data.end.timestamp() for version in (champion, challenger) if version.data.end is not None]
    frame = live_frame(client, config, labelled=True, newest=rows, since=max(ends, default=0.0))
    if frame.is_empty():
        raise NotEnoughData(
            f"{challenger.version} was not compared with {champion.version}.",
            "There is no labelled request that neither has learned from.",
            "Wait for labels, or read the decision made when it was trained: `understudy decision list`.",
        )
    features, artifacts = feature_rows(config, frame), ArtifactStore(settings.models_dir)
    scores = [TableScorer(version, artifacts).score(features) for version in (champion, challenger)]
    labels, times = frame["_label"].to_numpy(), frame["_time"].to_numpy()
    policy = configured_policy(config)
    case = HoldoutCase(
        model=config.model,
        champion=champion.version,
        challenger=challenger.version,
        task=config.task,
        policy=policy,
        decision_id=f"compare-{champion.version}-{challenger.version}-{now:%Y%m%d%H%M%S}",
        at=now,
        rows=paired_rows(config.task, labels, scores[0], scores[1], times=times, keys=frame["_key"].to_list()),
        identities=identities(champion, challenger, policy, digest_of((labels, times, *scores))),
    )
    return keep(settings, case)


def _champion(registry: Registry, model: str) -> ModelVersion:
    found = registry.champion(model)
    if found is None:
        raise NotFound(f"{model} has no champion.", "Nothing is in production.", "Train one: `understudy train`.")
    return found


def _newest(registry: Registry, model: str) -> ModelVersion:
    others = [version for version in registry.versions(model) if version.stage != "production"]
    if not others:
        raise NotFound(f"{model} has no challenger.", "All versions are in production.", "Train one first.")
    return others[0]
