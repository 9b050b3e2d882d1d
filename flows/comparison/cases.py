"""Keep everything that a decision rests on, and compute the decision from it again."""

import dataclasses
import glob
import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import polars as pl

from flows.comparison.classes import Floats, several
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
_PLAIN = re.compile(r"[^/\\\0]{1,200}")
_STALE_S = 3600.0
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

    Another case that was kept under the same id, by a tick that was killed or that runs at the
    same time, stays beside it: the decision that was made of it can be computed again, too.

    Raises:
        DataError: If model or id cannot name a folder.

    Returns:
        Sha256 of what was written.
    """
    folder = case_folder(settings, case.model, case.decision_id)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        draft.chmod(folder.parent.stat().st_mode & 0o777)
        (draft / _FACTS).write_bytes(_facts(case))
        rows = _frame(case)
        if rows is not None:
            rows.write_parquet(draft / _ROWS)
        digest = case_digest(draft)
        _put(draft, folder, digest)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return digest


def load_case(settings: Settings, model: str, decision_id: str) -> Case:
    """
    Read a case back.

    Raises:
        NotFound: If it was not kept.
        DataError: If it cannot be read.
    """
    return _loaded(case_folder(settings, model, decision_id), decision_id)


def recompute(settings: Settings, stored: Decision) -> Again:
    """
    Compute a stored decision again, from its stored inputs.

    Raises:
        NotFound: If its inputs were not kept.
        DataError: If they cannot be read any more.
    """
    folder = _folder_of(settings, stored)
    case, digest = _loaded(folder, stored.id), case_digest(folder)
    fresh = _as_read(msgspec.structs.replace(judge_case(case), inputs=digest, report=stored.report))
    stored = _as_read(stored)
    changed = []
    if digest != stored.inputs:
        changed.append(f"the inputs: their digest is {digest[:12]}, it was {(stored.inputs or 'none')[:12]}")
    before, after = stored.to_dict(), fresh.to_dict()
    differing = sorted(name for name in before if before[name] != after[name] and name != "inputs")
    changed += [f"{name} of the decision" for name in differing]
    return Again(fresh, fresh.to_json() == stored.to_json(), tuple(changed))


def case_folder(settings: Settings, model: str, decision_id: str) -> Path:
    """
    Where the inputs of a decision are kept.

    Raises:
        DataError: If one of the names would lead elsewhere.
    """
    for what, name in (("model", model), ("decision", decision_id)):
        if not _PLAIN.fullmatch(name) or name.startswith("."):
            raise DataError(
                f"The {what} {name!r} has no folder.",
                "A name is one part of a path: not empty, without '/', and does not begin with '.'.",
                f"Call the {what} otherwise.",
            )
    return settings.decisions_dir / model / decision_id


def _folder_of(settings: Settings, stored: Decision) -> Path:
    """The case that a decision was made of, also where another one has taken its place."""
    folder = case_folder(settings, stored.model, stored.id)
    aside = _aside(folder, stored.inputs or "")
    return aside if aside.is_dir() else folder


def _aside(folder: Path, digest: str) -> Path:
    return folder.with_name(f"{folder.name}~{digest[:12]}")


def _put(draft: Path, folder: Path, digest: str) -> None:
    """Give the draft its name in one step; what has the name already is renamed first, unless it is the same."""
    for _ in range(10):
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        else:
            return
        before = case_digest(folder)
        if before == digest:
            return
        shutil.rmtree(_aside(folder, before), ignore_errors=True)
        folder.rename(_aside(folder, before))
    raise OSError(f"{folder} is taken again and again")


def _sweep(folder: Path) -> None:
    """Remove what writers that were killed have left behind."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*"):
        if time.time() - left.stat().st_mtime > _STALE_S:
            shutil.rmtree(left, ignore_errors=True)


def _loaded(folder: Path, decision_id: str) -> Case:
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
    except (OSError, ValueError, LookupError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"The inputs of decision {decision_id} cannot be read.",
            f"{type(error).__name__}: {error}.",
            "They were altered: restore the folder from a backup of the state folder.",
        ) from error


def _as_read(decision: Decision) -> Decision:
    """As it is once it was stored: 1 is 1.0 where a float belongs."""
    return Decision.from_json(decision.to_json())


def case_digest(folder: Path) -> str:
    """Sha256 over the names and bytes of the files."""
    found = hashlib.sha256()
    for name in (_FACTS, _ROWS):
        path = folder / name
        if path.exists():
            found.update(f"{name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _facts(case: Case) -> bytes:
    # The order of arms and phases is part of the case: sentences name them in it.
    kind = next(name for name, one in _KINDS.items() if isinstance(case, one))
    names = [one.name for one in dataclasses.fields(case) if one.name not in ("rows", "arms")]
    columns = {} if isinstance(case, HoldoutCase) else {arm: list(_columns(one)) for arm, one in _arms(case).items()}
    return msgspec.json.encode({"kind": kind, "columns": columns} | {name: getattr(case, name) for name in names})


def _built(facts: dict[str, Any], rows: pl.DataFrame | None) -> Case:
    kind, columns = facts.pop("kind"), facts.pop("columns", {})
    if kind == "holdout":
        return _typed(HoldoutCase, facts, rows=_paired(_there(rows)))
    arms = {arm: _group(_there(rows).filter(pl.col("arm") == arm).select(names)) for arm, names in columns.items()}
    return _typed(GroupCase, facts, arms=arms) if kind == "groups" else _typed(LiveCase, facts, arms=arms or None)


def _there(rows: pl.DataFrame | None) -> pl.DataFrame:
    if rows is None:
        raise LookupError(f"{_ROWS} is missing")
    return rows


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
    frames = [
        pl.DataFrame({"arm": pl.Series([arm] * rows.n, dtype=pl.String)} | _columns(rows))
        for arm, rows in _arms(case).items()
    ]
    return pl.concat(frames, how="diagonal") if frames else None


def _arms(case: GroupCase | LiveCase) -> Mapping[str, GroupRows]:
    return case.arms or {}


def _columns(rows: GroupRows) -> dict[str, pl.Series]:
    floats = {"label": rows.labels, "score": rows.scores, "covariate": rows.covariate}
    kept = {name: _series(values) for name, values in floats.items() if values is not None}
    return kept | {f"kpi.{name}": pl.Series(v, dtype=pl.Float64) for name, v in rows.kpis.items()} | _shared(rows)


def _series(values: Floats) -> pl.Series:
    """Several numbers per row become an array per row."""
    return pl.Series(values, dtype=pl.Array(pl.Float64, values.shape[1]) if several(values) else pl.Float64)


def _shared(rows: PairedRows | GroupRows) -> dict[str, pl.Series]:
    columns = {} if rows.times is None else {"time": pl.Series(rows.times, dtype=pl.Float64)}
    if rows.keys is not None:
        columns["key"] = pl.Series(rows.keys, dtype=pl.String)
    return columns | {f"segment.{name}": pl.Series(each, dtype=pl.String) for name, each in rows.segments.items()}


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
        return _floats(frame, name) if name in frame.columns else None

    return GroupRows(
        labels=column("label"),
        scores=column("score"),
        keys=tuple(frame["key"].to_list()) if "key" in frame.columns else None,
        times=column("time"),
        kpis={name.removeprefix("kpi."): column(name) for name in frame.columns if name.startswith("kpi.")},
        covariate=column("covariate"),
        segments=_segments(frame),
    )


def _segments(frame: pl.DataFrame) -> Mapping[str, tuple[str, ...]]:
    names = [name for name in frame.columns if name.startswith("segment.")]
    return {name.removeprefix("segment."): tuple(frame[name].to_list()) for name in names}


def _floats(frame: pl.DataFrame, name: str) -> Any:
    return np.ascontiguousarray(frame[name].to_numpy(), dtype=np.float64)
