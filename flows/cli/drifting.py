"""What `understudy drift` compares, for a model or for tables."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from flows.config.detection.settings import Detection
from flows.config.model import ModelConfig
from flows.data.files import columns_of, read_table, scan_table
from flows.detection.joint.drift import JointDrift
from flows.detection.judging.report import DriftReport
from flows.detection.univariate.profile import ReferenceProfile
from flows.detection.univariate.tables import Table
from flows.errors import ConfigError, DataError
from flows.reports.drift.content import DriftContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """
    What the command was told.

    Attributes:
        reference, current: Tables, as `flows.data.files.scan_table` takes them.
        ignore, categorical: Columns.
        min_rows: Of each side; that of the configuration if None.
        plain: Fixed thresholds.
        joint: Look at the columns together, too.
        threads: Columns at once.
    """

    reference: str = ""
    current: str = ""
    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    min_rows: int | None = None
    plain: bool = False
    joint: bool = False
    threads: int = 1

    @property
    def limits(self) -> Detection:
        """Thresholds for tables without a configuration."""
        rows = {} if self.min_rows is None else {"min_rows": self.min_rows, "window": max(self.min_rows, 1000)}
        return Detection.model_validate({**rows, "correction": "none"} if self.plain else rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    What the comparison gave.

    Attributes:
        reference, current: Where a report takes its pictures from.
    """

    title: str
    reference_name: str
    report: DriftReport
    joint: JointDrift | None
    reference: ReferenceProfile | Table = field(repr=False)
    current: Table = field(repr=False)

    @property
    def drifted(self) -> bool:
        """Whether anything did."""
        return bool(self.report.drifted) or bool(self.joint and self.joint.drifted)

    def write(self, file: Path) -> None:
        """Write the report."""
        from flows.detection.univariate.tables import columns
        from flows.reports.drift.report import drift_report
        from flows.reports.page import keep

        was = self.reference if isinstance(self.reference, ReferenceProfile) else columns(self.reference)
        content = self._content(was)
        keep({file: drift_report(content).encode()})

    def _content(self, was: Any) -> DriftContent:
        from flows.detection.showing.tables import tables_content
        from flows.detection.univariate.tables import columns

        content = tables_content(self.title, self.reference_name, was, columns(self.current), self.report)
        return content if self.joint is None else content._replace(summary=(*content.summary, self.joint.said))


def of_tables(asked: Asked) -> Found:
    """
    Compare two tables by the types of their columns; times and dates are left out.

    Raises:
        ConfigError: If a column that was named is in neither table.
        DataError: If a table cannot be read, or the two share no column.
    """
    from flows.detection.judging.verdict import judge
    from flows.detection.univariate.compare import compare

    reference, current = scan_table(asked.reference), scan_table(asked.current)
    numeric, categorical = _columns(asked, reference, current)
    statistics = compare(reference, current, numeric=numeric, categorical=categorical, threads=asked.threads)
    rows = _rows(reference), _rows(current)
    report = judge(statistics, asked.limits, rows=rows)
    return Found(
        title=_short(asked.current),
        reference_name=_short(asked.reference),
        report=report,
        joint=_jointly(reference, current, [*numeric, *categorical]) if asked.joint else None,
        reference=reference,
        current=current,
    )


def of_model(config: ModelConfig, asked: Asked) -> Found:
    """Compare two tables as a model's configuration reads them."""
    from flows.data import prepare
    from flows.detection.drift import drift_between
    from flows.detection.joint.drift import joint_drift

    was, now = (prepare(config, read_table(path)) for path in (asked.reference, asked.current))
    names = list(config.features.names)
    return Found(
        title=config.model,
        reference_name=_short(asked.reference),
        report=drift_between(was, now, config),
        joint=joint_drift(was.select(names), now.select(names), config.detection.joint) if asked.joint else None,
        reference=was,
        current=now,
    )


def live(config: ModelConfig) -> Found:
    """
    Compare the newest live rows with those that the champion learned from.

    Raises:
        NotFound: If the model has no champion.
    """
    from flows.cli.check import kept_by_champion
    from flows.client import RouterClient
    from flows.data import live_frame
    from flows.detection.drift import drift
    from flows.detection.joint.drift import joint_drift

    where, champion, kept = kept_by_champion(config.model)
    with RouterClient(where) as client:
        rows = live_frame(client, config, newest=config.detection.window)
    known = rows.select(config.features.names)
    return Found(
        title=config.model,
        reference_name=champion.version,
        report=drift(kept.reference, rows, config),
        joint=joint_drift(kept.standard.joint, known, config.detection.joint) if kept.standard.joint else None,
        reference=kept.reference,
        current=rows,
    )


def _columns(asked: Asked, reference: pl.LazyFrame, current: pl.LazyFrame) -> tuple[list[str], list[str]]:
    was, now = columns_of(reference, asked.reference), columns_of(current, asked.current)
    names = list({**was, **now})
    unknown = [name for name in (*asked.ignore, *asked.categorical) if name not in names]
    if unknown:
        raise ConfigError(
            "Nothing was compared.",
            f"No table has a column {', '.join(map(repr, unknown))}.",
            f"Columns are {', '.join(names[:30])}.",
        )
    if not set(was) & set(now):
        raise DataError(
            "Nothing was compared.",
            f"The tables share no column: {', '.join(list(was)[:10])}; and {', '.join(list(now)[:10])}.",
            "Give two tables of the same kind.",
        )
    kinds = {name: was.get(name, now.get(name)) for name in names if name not in asked.ignore}
    kept = {name: kind for name, kind in kinds.items() if kind is not None and not kind.is_temporal()}
    numeric = [name for name, kind in kept.items() if kind.is_numeric() and name not in asked.categorical]
    return numeric, [name for name in kept if name not in numeric]


def _jointly(reference: pl.LazyFrame, current: pl.LazyFrame, names: list[str]) -> JointDrift:
    from flows.config.detection.joint import Joint
    from flows.detection.joint.drift import joint_drift

    shared = [n for n in names if n in reference.collect_schema() and n in current.collect_schema()]
    return joint_drift(reference.select(shared).collect(), current.select(shared).collect(), Joint())


def _rows(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect().item())


def _short(path: str) -> str:
    return Path(path).name or path
