"""What `understudy drift` compares, for a model or for tables."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flows.cli.pairs import Done, Side, Sorted, kinds, measured, opened
from flows.cli.profiles import is_profile, read_profile, save_profile
from flows.config.detection.settings import Detection
from flows.config.model import ModelConfig
from flows.data.files import read_table
from flows.detection.joint.drift import JointDrift
from flows.detection.judging.report import DriftReport
from flows.detection.univariate.profile import ReferenceProfile
from flows.detection.univariate.tables import Columns, Table, columns
from flows.errors import ConfigError, DataError
from flows.reports.drift.content import DriftContent
from flows.reports.text import clean, short


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
        profile: Where to keep the reference's profile.
    """

    reference: str = ""
    current: str = ""
    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    min_rows: int | None = None
    plain: bool = False
    joint: bool = False
    threads: int = 1
    profile: Path | None = None

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
        left_out: Columns that were not compared, with the reason.
        reference, current: Where a report takes its pictures from.
    """

    title: str
    reference_name: str
    report: DriftReport
    joint: JointDrift | None
    reference: ReferenceProfile | Table | Side = field(repr=False)
    current: Table | Side = field(repr=False)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def drifted(self) -> bool:
        """Whether anything did."""
        return bool(self.report.drifted) or bool(self.joint and self.joint.drifted)

    def write(self, file: Path) -> None:
        """Write the report."""
        from flows.reports.drift.report import drift_report
        from flows.reports.page import keep

        keep({file: drift_report(self._content()).encode()})

    def _content(self) -> DriftContent:
        from flows.detection.showing.tables import tables_content

        was = self.reference if isinstance(self.reference, ReferenceProfile) else _columns_of(self.reference)
        content = tables_content(self.title, self.reference_name, was, _columns_of(self.current), self.report)
        said = [self.joint.said] if self.joint is not None else []
        said += [f"Column {short(name)} was not compared: {why}" for name, why in self.left_out.items()]
        return content._replace(summary=(*content.summary, *said))


def usual_threads() -> int:
    """As many as this process may use, at most four: more read more columns at once than memory should hold."""
    return min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _silent(_done: int, _total: int) -> None:
    """Tell nobody how far it is."""


def _columns_of(table: Table | Side) -> Columns:
    return table if isinstance(table, Side) else columns(table)


def of_tables(asked: Asked, done: Done | None = None) -> Found:
    """
    Compare two tables by the types of their columns; times and lists are left out, and named.

    Args:
        asked: What the command was told.
        done: Told how many of how many columns are measured.

    Raises:
        ConfigError: If a column that was named is in neither table.
        DataError: If a table cannot be read, or the two share no column.
    """
    from flows.detection.judging.verdict import judge

    if is_profile(asked.reference):
        return _of_profile(asked)
    reference, current = opened(asked.reference), opened(asked.current)
    chosen = _columns(asked, reference, current)
    if asked.profile is not None:
        save_profile(asked.profile, reference, chosen, asked.threads)
    rows = reference.count, current.count
    report = _too_few(asked, rows) or judge(
        measured(reference, current, chosen, asked.threads, done or _silent), asked.limits, rows=rows
    )
    return Found(
        title=_short(asked.current),
        reference_name=_short(asked.reference),
        report=report,
        joint=_jointly(reference, current, chosen) if asked.joint else None,
        left_out=chosen.left_out,
        reference=reference,
        current=current,
    )


def _of_profile(asked: Asked) -> Found:
    """Compare a table with what was kept of another; the profile says which columns, and of what kind they are."""
    from flows.detection.judging.verdict import judge
    from flows.detection.univariate.compare import compare

    kept, current = read_profile(asked.reference), opened(asked.current)
    known = [name for name in (*kept.numeric, *kept.categorical) if name not in asked.ignore]
    if not set(known) & set(current.schema):
        why = f"The table shares no column with the profile: {_listed(known)}; and {_listed(current.schema)}."
        raise DataError("Nothing was compared.", why, "Give a table of the same kind.")
    numeric, categorical = ([name for name in kind if name in known] for kind in (kept.numeric, kept.categorical))
    rows = kept.rows, current.count
    found = _too_few(asked, rows) or judge(
        compare(kept, current.frame, numeric=numeric, categorical=categorical, threads=asked.threads),
        asked.limits,
        rows=rows,
    )
    return Found(
        title=_short(asked.current),
        reference_name=_short(asked.reference),
        report=found,
        joint=None,
        reference=kept,
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


def _too_few(asked: Asked, rows: tuple[int, int]) -> DriftReport | None:
    """A reference of few rows is as little to go by as a window of few."""
    least = asked.limits.min_rows
    if rows[0] >= least:
        return None
    said = f"not enough data: {rows[0]} rows in the reference, {least} are needed"
    return DriftReport(reference_rows=rows[0], rows=rows[1], enough=False, said=said)


def _columns(asked: Asked, reference: Side, current: Side) -> Sorted:
    was, now = reference.schema, current.schema
    names = list({**was, **now})
    unknown = [name for name in (*asked.ignore, *asked.categorical) if name not in names]
    if unknown:
        why = f"No table has a column {', '.join(map(repr, unknown))}."
        raise ConfigError("Nothing was compared.", why, f"Columns are {_listed(names, 30)}.")
    if not set(was) & set(now):
        why = f"The tables share no column: {_listed(was)} in the reference, {_listed(now)} in the newer one."
        raise DataError("Nothing was compared.", why, _mend(asked, was, now))
    chosen = kinds(reference, current, ignore=asked.ignore, categorical=asked.categorical)
    if not chosen.numeric and not chosen.categorical:
        reasons = [f"{clean(name)!r}: {why}" for name, why in list(chosen.left_out.items())[:30]]
        why = "; ".join(reasons) or "All columns are ignored"
        raise ConfigError("No column is left to compare.", f"{why}.", "Give a column of numbers or of names.")
    return chosen


def _listed(names: Iterable[str], most: int = 10) -> str:
    found = [short(name, 40) for name in names]
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def _mend(asked: Asked, *sides: Iterable[str]) -> str:
    """A single column with a separator in its name is a file that is separated by something else."""
    for path, names in zip((asked.reference, asked.current), map(list, sides), strict=True):
        sign = next((one for one in ";\t|" if len(names) == 1 and one in names[0]), None)
        if sign is not None:
            return f"Separate the values of {path} by commas; now they are by {sign!r}."
    return "Give two tables of the same kind."


def _jointly(reference: Side, current: Side, chosen: Sorted) -> JointDrift:
    from flows.config.detection.joint import Joint
    from flows.detection.joint.drift import joint_drift

    names = (*chosen.numeric, *chosen.categorical)
    shared = [name for name in names if name in reference.schema and name in current.schema]
    return joint_drift(reference.some(shared), current.some(shared), Joint())


def _short(path: str) -> str:
    return Path(path).name or path
