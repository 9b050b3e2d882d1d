"""Keep everything that a decision rests on, and compute the decision from it again."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import polars as pl

from flows.comparison.groups import GroupCase, GroupRows, decide_groups
from flows.comparison.holdout import decide_holdout
from flows.comparison.live import LiveCase, decide_live
from flows.comparison.rows import HoldoutCase, PairedRows
from flows.errors import DataError
from registry.errors import NotFound
from registry.home import Settings
from registry.records.verdict import Decision

Case = HoldoutCase | GroupCase | LiveCase
_Case = TypeVar("_Case", HoldoutCase, GroupCase, LiveCase)
_FACTS, _ROWS = "case.json", "rows.parquet"
_KINDS: dict[str, type[Any]] = {"holdout": HoldoutCase, "groups": GroupCase, "live": LiveCase}


class Again(NamedTuple):
    """
    A decision computed again.

    Attributes:
        same: Whether it is the stored one, byte for byte.
        changed: What is not as it was; empty if `same`.
    """

    decision: Decision
    same: bool
    changed: tuple[str, ...]


def judge_case(case: Case) -> Decision:
    """Decide; the same case gives the same decision, byte for byte."""
    if isinstance(case, HoldoutCase):
        return decide_holdout(case)
    return decide_groups(case) if isinstance(case, GroupCase) else decide_live(case)


def save_case(settings: Settings, case: Case) -> str:
    """
    Write the case into the state folder, whole or not at all.

    Returns:
        Sha256 of what was written.
    """
    folder = case_folder(settings, case.model, case.decision_id)
    draft = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    (draft / _FACTS).write_bytes(_facts(case))
    rows = _frame(case)
    if rows is not None:
        rows.write_parquet(draft / _ROWS)
    digest = case_digest(draft)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return digest


def load_case(settings: Settings, model: str, decision_id: str) -> Case:
    """
    Read a case back.

    Raises:
        NotFound: If it was not kept.
        DataError: If it cannot be read.
    """
    folder = case_folder(settings, model, decision_id)
    if not (folder / _FACTS).exists():
        raise NotFound(
            f"Decision {decision_id} cannot be computed again.",
            f"Its inputs are not in {folder}.",
            "Restore the folder from a backup of the state folder.",
        )
    try:
        facts = json.loads((folder / _FACTS).read_bytes())
        rows = pl.read_parquet(folder / _ROWS) if (folder / _ROWS).exists() else None
        return _built(facts, rows)
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError, msgspec.ValidationError) as error:
        raise DataError(
            f"The inputs of decision {decision_id} cannot be read.",
            f"{type(error).__name__}: {error}.",
            "They were altered: restore the folder from a backup of the state folder.",
        ) from error


def recompute(settings: Settings, stored: Decision) -> Again:
    """
    Compute a stored decision again, from its stored inputs.

    Raises:
        NotFound: If its inputs were not kept.
        DataError: If they cannot be read any more.
    """
    digest = case_digest(case_folder(settings, stored.model, stored.id))
    case = load_case(settings, stored.model, stored.id)
    fresh = msgspec.structs.replace(judge_case(case), inputs=digest, report=stored.report)
    changed = []
    if digest != stored.inputs:
        changed.append(f"the inputs: their digest is {digest[:12]}, it was {(stored.inputs or 'none')[:12]}")
    before, after = stored.to_dict(), fresh.to_dict()
    differing = sorted(name for name in before if before[name] != after[name] and name != "inputs")
    changed += [f"{name} of the decision" for name in differing]
    return Again(fresh, fresh.to_json() == stored.to_json(), tuple(changed))


def case_folder(settings: Settings, model: str, decision_id: str) -> Path:
    """Where the inputs of a decision are kept."""
    return settings.decisions_dir / model / decision_id


def case_digest(folder: Path) -> str:
    """Sha256 over the names and bytes of the files."""
    found = hashlib.sha256()
    for name in (_FACTS, _ROWS):
        path = folder / name
        if path.exists():
            found.update(f"{name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _facts(case: Case) -> bytes:
    kind = next(name for name, one in _KINDS.items() if isinstance(case, one))
    names = [one.name for one in dataclasses.fields(case) if one.name not in ("rows", "arms")]
    return msgspec.json.encode({"kind": kind} | {name: getattr(case, name) for name in names}, order="sorted")


def _built(facts: dict[str, Any], rows: pl.DataFrame | None) -> Case:
    kind = facts.pop("kind")
    if kind == "live":
        return msgspec.convert(facts, LiveCase, strict=False)
    assert rows is not None
    if kind == "holdout":
        return _typed(HoldoutCase, facts, rows=_paired(rows))
    arms = {
        arm: _group(rows.filter(pl.col("arm") == arm).drop("arm")) for arm in rows["arm"].unique(maintain_order=True)
    }
    return _typed(GroupCase, facts, arms=arms)


def _typed(kind: type[_Case], facts: dict[str, Any], **rows: Any) -> _Case:
    fields = {one.name for one in dataclasses.fields(kind)}
    typed = {name: msgspec.convert(value, _type_of(kind, name), strict=False) for name, value in facts.items()}
    return kind(**{name: value for name, value in typed.items() if name in fields}, **rows)


def _type_of(kind: type[Any], name: str) -> Any:
    from typing import get_type_hints

    return get_type_hints(kind)[name]


def _frame(case: Case) -> pl.DataFrame | None:
    if isinstance(case, HoldoutCase):
        rows = case.rows
        columns = {"label": rows.labels, "champion": rows.champion, "challenger": rows.challenger}
        kpis = {
            f"kpi.{arm}.{name}": values
            for name, pair in rows.kpis.items()
            for arm, values in zip(("champion", "challenger"), pair, strict=True)
        }
        return pl.DataFrame(columns | kpis | _shared(rows))
    if case.arms is not None:
        frames = [_group_frame(arm, rows) for arm, rows in case.arms.items()]
        return pl.concat(frames, how="diagonal")
    return None


def _group_frame(arm: str, rows: GroupRows) -> pl.DataFrame:
    columns = {"label": rows.labels, "score": rows.scores, "covariate": rows.covariate}
    kept = {name: values for name, values in columns.items() if values is not None}
    kept |= {f"kpi.{name}": values for name, values in rows.kpis.items()}
    return pl.DataFrame({"arm": [arm] * rows.n} | kept | _shared(rows))


def _shared(rows: PairedRows | GroupRows) -> dict[str, Any]:
    columns: dict[str, Any] = {} if rows.times is None else {"time": rows.times}
    if rows.keys is not None:
        columns["key"] = list(rows.keys)
    return columns | {f"segment.{name}": list(levels) for name, levels in rows.segments.items()}


def _paired(frame: pl.DataFrame) -> PairedRows:
    names = [name.removeprefix("kpi.champion.") for name in frame.columns if name.startswith("kpi.champion.")]
    return PairedRows(
        labels=_floats(frame, "label"),
        champion=_floats(frame, "champion"),
        challenger=_floats(frame, "challenger"),
        times=_floats(frame, "time") if "time" in frame.columns else None,
        keys=tuple(frame["key"].to_list()) if "key" in frame.columns else None,
        segments=_segments(frame),
        kpis={n: (_floats(frame, f"kpi.champion.{n}"), _floats(frame, f"kpi.challenger.{n}")) for n in names},
    )


def _group(frame: pl.DataFrame) -> GroupRows:
    def column(name: str) -> Any:
        known = name in frame.columns and (frame.height == 0 or frame[name].null_count() < frame.height)
        return _floats(frame, name) if known else None

    kpis = {name.removeprefix("kpi."): column(name) for name in frame.columns if name.startswith("kpi.")}
    return GroupRows(
        labels=column("label"),
        scores=column("score"),
        keys=tuple(frame["key"].to_list()) if "key" in frame.columns else None,
        times=column("time"),
        kpis={name: values for name, values in kpis.items() if values is not None},
        covariate=column("covariate"),
        segments=_segments(frame),
    )


def _segments(frame: pl.DataFrame) -> Mapping[str, tuple[str, ...]]:
    names = [name for name in frame.columns if name.startswith("segment.")]
    return {name.removeprefix("segment."): tuple(frame[name].to_list()) for name in names}


def _floats(frame: pl.DataFrame, name: str) -> Any:
    return np.ascontiguousarray(frame[name].to_numpy(), dtype=np.float64)
