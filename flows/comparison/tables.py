"""Two registered versions on the rows of a table; asks no server but those that are versions themselves."""

from datetime import datetime
from typing import Any

import polars as pl

from flows.comparison.identities import digest_of, identities
from flows.comparison.rows import HoldoutCase, paired_rows
from flows.comparison.scoring import TableScorer
from flows.config.model import ModelConfig
from flows.data.prepare import prepare
from flows.data.rows import feature_rows
from flows.errors import NotEnoughData
from registry.artifacts import ArtifactStore
from registry.records.policy import PromotionPolicy
from registry.records.version import ModelVersion


def case_of_table(
    config: ModelConfig,
    table: pl.DataFrame,
    champion: ModelVersion,
    challenger: ModelVersion,
    artifacts: ArtifactStore,
    policy: PromotionPolicy,
    *,
    at: datetime | None = None,
    all_rows: bool = False,
) -> HoldoutCase:
    """
    Score a table with both versions.

    Args:
        config: Of the model; names the columns.
        table: As read; rows without a label are left out.
        champion, challenger: Of the model.
        artifacts: Where their files are.
        policy: Declared in the configuration.
        at: Moment of the decision; the newest row if absent.
        all_rows: Also rows from the time that either has learned from.

    Raises:
        DataError: If a column is absent, or a label makes no sense.
        NotEnoughData: If no row is left.
    """
    frame = prepare(config, table).filter(pl.col("_label").is_not_null() & pl.col("_time").is_not_null())
    fresh = frame if all_rows else frame.filter(pl.col("_time") > _learned_until(champion, challenger))
    if fresh.is_empty():
        raise NotEnoughData(
            f"{challenger.version} was not compared with {champion.version}.",
            f"None of {table.height:,} rows has a label and is newer than what both have learned from.",
            "Give newer rows; or --all-rows, if you know that neither has learned from these.",
        )
    rows = feature_rows(config, fresh)
    scores = [TableScorer(version, artifacts).score(rows) for version in (champion, challenger)]
    labels, times = fresh["_label"].to_numpy(), fresh["_time"].to_numpy()
    known = identities(champion, challenger, policy, digest_of((labels, times, *scores)))
    return HoldoutCase(
        model=config.model,
        champion=champion.version,
        challenger=challenger.version,
        task=config.task,
        policy=policy,
        decision_id=f"table-{champion.version}-{challenger.version}-{known['data'][:12]}",
        at=at or _newest(fresh),
        rows=paired_rows(config.task, labels, scores[0], scores[1], times=times, keys=fresh["_key"].to_list()),
        left_out=frame.height - fresh.height,
        identities=known,
    )


def _learned_until(*versions: ModelVersion) -> float:
    return max((v.data.end.timestamp() for v in versions if v.data.end is not None), default=float("-inf"))


def _newest(frame: pl.DataFrame) -> datetime:
    from datetime import UTC

    newest: Any = frame["_time"].max()
    return datetime.fromtimestamp(float(newest), UTC)
