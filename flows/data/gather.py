"""All rows that a model may learn from: read, rid of repeats, and checked against the contract."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl

from flows.client import RouterClient
from flows.config.model import ModelConfig
from flows.data.contract.check import check_contract
from flows.data.contract.learn import infer_contract
from flows.data.contract.quarantine import only_reported, set_aside
from flows.data.contract.records import CONTRACT_FILE, Contract, ContractReport
from flows.data.digest import rows_digest
from flows.data.history import columns_of_history
from flows.data.live import live_frame
from flows.data.repeats import IDENTITY, without_repeats
from flows.data.tables import tables_of, within_reach
from flows.data.untyped import UNTYPED
from flows.errors import DataError, NotEnoughData
from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.records.version import ModelVersion

LOG = "log of the router"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """
    Labelled rows in one shape.

    Attributes:
        frame: Feature columns, `_time`, `_key`, `_label`, `_kpi_<name>`, in time order; with a contract perhaps
            `_untyped`, which `validated` takes away.
        source: Where they come from, for `TrainingData.source`.
        version: Which state of it, for `TrainingData.version`: that of a Delta table, or a hash.
        duplicates: Rows that repeated another one, and were left out.
        conflicts: Rows whose key and time another row has with another label; they are kept.
    """

    frame: pl.DataFrame
    source: str
    version: str
    duplicates: int = 0
    conflicts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """
    Rows that may be learned from.

    Attributes:
        frame: Without the rows that were set aside.
        report: What was found; None without a contract to check by.
        contract: To be stored with the version that is trained on these rows, as `contract.json`.
    """

    frame: pl.DataFrame
    report: ContractReport | None
    contract: Contract


def extract(
    config: ModelConfig,
    settings: Settings,
    client: RouterClient,
    *,
    contract: Contract | None = None,
    as_of: datetime | None = None,
) -> Extracted:
    """
    Read all labelled rows that the model may learn from.

    Args:
        config: Of the model.
        settings: Where the first table lies.
        client: Of the router, whose log is read.
        contract: Of the champion. With one, text in a numeric column is left to `validated`; without, it is refused.
        as_of: Later rows are not read; now if absent.

    Raises:
        DataError: If a source cannot be used.
        Unreachable: If a database, or the router, does not answer.
    """
    until = (as_of or datetime.now(UTC)).timestamp()
    tables = tables_of(config, settings, until=until, tolerant=contract is not None)
    logged = _logged(config, client, until)
    whole = [*(table.frame for table in tables), logged]
    mixed = _mixed(whole, until)
    if mixed.is_empty():
        _refuse_none_usable(config, whole, until)
    told = without_repeats(mixed, leave_out=config.data.deduplicate)
    parts = [(table.source, table.version) for table in tables]
    if logged.height or not parts:
        parts.append((LOG, rows_digest(logged)))
    return Extracted(
        frame=told.frame,
        source=" + ".join(source for source, _ in parts),
        version=" + ".join(version for _, version in parts),
        duplicates=told.duplicates,
        conflicts=told.conflicts,
    )


def _refuse_none_usable(config: ModelConfig, parts: Sequence[pl.DataFrame], until: float) -> None:
    """Say why no row is left, if there were some."""
    rows = pl.concat([part.select("_time", "_label") for part in parts], how="vertical_relaxed")
    later, unlabelled = rows.filter(pl.col("_time") > until), rows.filter(pl.col("_label").is_null())
    whys = [f"{unlabelled.height} have no label in {config.target!r}"] if unlabelled.height else []
    if later.height:
        first = datetime.fromtimestamp(float(later["_time"].to_list()[0]), UTC)
        now = datetime.fromtimestamp(until, UTC)
        whys.append(f"{later.height} are later than now ({now:%Y-%m-%d %H:%M}), the first of {first:%Y-%m-%d %H:%M}")
    if whys:
        raise NotEnoughData(
            "Nothing was trained.",
            f"Of {rows.height} rows none can be learned from: {', '.join(whys)}.",
            "Correct the column of the target or of the times (unit, zone), or wait for labels.",
        )


def _logged(config: ModelConfig, client: RouterClient, until: float) -> pl.DataFrame:
    def read(since: float | None) -> pl.DataFrame:
        return live_frame(client, config, labelled=True, since=since).select(columns_of_history(config))

    return within_reach(config, read, lambda frame: frame["_time"], until)


def _mixed(parts: Sequence[pl.DataFrame], until: float) -> pl.DataFrame:
    """Labelled rows of all; of the same key and time, a later part wins, and the router's log is the last."""
    frame = parts[0]
    for part in parts[1:]:
        frame = pl.concat([frame.join(part, on=IDENTITY, how="anti", maintain_order="left"), part], how="diagonal")
    known = frame.filter(pl.col("_label").is_not_null(), pl.col("_time") <= until)
    return known.sort("_time", maintain_order=True)


def validated(config: ModelConfig, extracted: Extracted, contract: Contract | None, *, keep_in: Path) -> Validated:
    """
    Check the rows against the champion's contract; without one, learn it.

    Args:
        config: Says what becomes of rows that break it.
        extracted: What was read.
        contract: Of the champion; None for the first training.
        keep_in: Parquet file for rows that are set aside; its folder is made when it is needed.

    Raises:
        DataError: If the configuration says so, or more than `data.most_quarantined` of the rows break it.
    """
    frame = extracted.frame
    if contract is None or config.data.contract == "off":
        plain = frame.drop(UNTYPED, strict=False)
        return Validated(frame=plain, report=None, contract=_learned(config, plain, contract))
    checked = check_contract(contract, frame)
    if config.data.contract == "report":
        plain = frame.drop(UNTYPED, strict=False)
        return Validated(frame=plain, report=only_reported(checked.report), contract=_learned(config, plain, contract))
    report = set_aside(config, checked, keep_in)
    return Validated(frame=checked.kept, report=report, contract=_learned(config, checked.kept, contract))


def _learned(config: ModelConfig, frame: pl.DataFrame, before: Contract | None) -> Contract:
    if frame.is_empty():
        return before or Contract(rows=0)
    return infer_contract(config, frame, before=before)


def contract_of(artifacts: ArtifactStore, version: ModelVersion | None) -> Contract | None:
    """
    Read the contract that was stored with a version; None if it has none.

    Raises:
        ArtifactRefused: If its files were altered.
    """
    if version is None:
        return None
    files = artifacts.load(version.model, version.version, version.artifact_digest)
    try:
        return Contract.from_json(files[CONTRACT_FILE]) if CONTRACT_FILE in files else None
    except msgspec.MsgspecError as error:
        raise DataError(
            f"The contract of {version.model} {version.version} was not used.",
            f"{error}.",
            "Upgrade Understudy, or set data.contract to off for one training.",
        ) from error


def quarantine_file(settings: Settings, model: str, event: str) -> Path:
    """Where the rows are kept that event *event* has set aside."""
    return settings.home / "quarantine" / model / f"{event}.parquet"


def new_rows(frame: pl.DataFrame, champion: ModelVersion | None) -> int:
    """Count the rows that are newer than all that the champion has learned from."""
    end = champion.data.end if champion else None
    return frame.height if end is None else frame.filter(pl.col("_time") > end.timestamp()).height
