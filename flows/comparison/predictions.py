"""From two prediction files to a case that can be judged."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version as installed
from typing import Any, NamedTuple

import msgspec

from flows.comparison.files import (
    Predictions,
    Wanted,
    binary_mistakes,
    probabilities,
    read_pair,
    refuse,
    task_of,
)
from flows.comparison.groups import GroupCase, GroupRows
from flows.comparison.matching import Match, Pairing, label_mistakes, match
from flows.comparison.metrics import DEFAULT_METRIC, METRICS
from flows.comparison.planned import repeated
from flows.comparison.rows import HoldoutCase, PairedRows
from registry.errors import InvalidRecord
from registry.records.policy import Guardrail, PromotionPolicy, default_improvement, direction_of
from registry.records.verdict import Decision
from registry.records.version import Task

KNOWN = tuple(name for names in METRICS.values() for name in names)
_LIVE_ONLY = ("latency_ms", "error_rate")
_NEED_PROBABILITIES = ("accuracy", "brier", "log_loss", "calibration")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """
    What to compare, and by which policy.

    Attributes:
        champion, challenger: Paths.
        model: Name for the decision.
        columns: Names as given; KPIs among metrics are added.
        kpis: Further KPI columns, reported only.
        metric, goals, guardrails: Of the policy; names that are no metric are KPI columns.
        policy: Further fields of the policy; looked at once, now, if no method is named.
        share: Planned share of the challenger in a split; None if it is not known.
        at: Moment of the decision; the newest time in the files if absent, else 1970.
        mistakes: What is already known to be wrong; told together with what is wrong in the files.
    """

    champion: str
    challenger: str
    model: str = "predictions"
    columns: Wanted = field(default_factory=Wanted)
    kpis: tuple[str, ...] = ()
    task: Task | None = None
    pairing: Pairing = "auto"
    metric: str | None = None
    goals: tuple[str, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
    policy: Mapping[str, Any] = field(default_factory=dict)
    share: float | None = None
    at: datetime | None = None
    mistakes: tuple[str, ...] = ()


class FileCase(NamedTuple):
    """
    What can be judged.

    Attributes:
        match: How the rows belong together.
        ranks_only: Scores are no probabilities, so that only their order counts.
    """

    case: HoldoutCase | GroupCase
    match: Match
    ranks_only: bool


def case_of_files(ask: Ask) -> FileCase:
    """
    Read, check, match and put together.

    Raises:
        DataError: With every mistake in both files, and in what is asked.
    """
    mistakes = list(ask.mistakes)
    ours, theirs = read_pair(ask.champion, ask.challenger, _wanted(ask), mistakes)
    task = task_of((ours, theirs), ask.task, ask.metric)
    metric = ask.metric or DEFAULT_METRIC[task]
    mistakes += [one for file in (ours, theirs) if task == "binary" for one in binary_mistakes(file)]
    found = match(ours, theirs, ask.pairing, mistakes)
    mistakes += label_mistakes(ours, theirs, found)
    mistakes += [*_asked_wrongly(ask, task, metric, (ours, theirs)), *_unfit(ask, metric, (ours, theirs), found)]
    ranks_only = task == "binary" and not (probabilities(ours) and probabilities(theirs))
    rows = found.champion.size if found.paired else ours.rows + theirs.rows
    policy = _policy(ask, metric, rows, mistakes)
    refuse(mistakes)
    assert policy is not None
    case = (_paired if found.paired else _groups)(ask, task, policy, ours, theirs, found)
    return FileCase(case, found, ranks_only)


def without_probabilities(decision: Decision) -> Decision:
    """Leave out what only probabilities can tell, where scores are none."""
    kept = tuple(f for f in decision.findings if f.role != "context" or f.metric not in _NEED_PROBABILITIES)
    hidden = (*_NEED_PROBABILITIES, "loss")
    metrics = {
        arm: {name: value for name, value in values.items() if name not in hidden}
        for arm, values in decision.metrics.items()
    }
    return msgspec.structs.replace(decision, findings=kept, metrics=metrics)


def _wanted(ask: Ask) -> Wanted:
    names = dict.fromkeys(ask.kpis, "--kpi")
    asked = [(ask.metric, "--metric"), *((goal, "--goal") for goal in ask.goals)]
    asked += [(guard.metric, "--guardrail") for guard in ask.guardrails]
    known = f"(known without a column: {', '.join(KNOWN)})"
    for name, option in asked:
        if name is not None and name not in KNOWN and name not in names:
            names[name] = f"{option} {known}"
    scored = ask.metric is None or ask.metric in KNOWN
    live = frozenset(guard.metric for guard in ask.guardrails if guard.metric in _LIVE_ONLY)
    optional = live - {ask.metric, *ask.goals, *ask.kpis}
    return replace(ask.columns, kpis=names, optional=optional, scored=scored)


def _asked_wrongly(ask: Ask, task: Task, metric: str, files: tuple[Predictions, Predictions]) -> Iterable[str]:
    named = (metric, *ask.goals, *(guard.metric for guard in ask.guardrails))
    for name in dict.fromkeys(named):
        if name in KNOWN and name not in METRICS[task]:
            yield f"metric {name} does not belong to {task} labels (use {', '.join(METRICS[task])}, or --task)"
    for name, direction in ((metric, ask.policy.get("direction")), *((g.metric, g.direction) for g in ask.guardrails)):
        if name in KNOWN and direction not in (None, direction_of(name)):
            yield f"of {name} {direction_of(name)} is better, not {direction} (leave it out)"
    for file in files:
        needed = [name for name in named if name in _NEED_PROBABILITIES]
        if task == "binary" and needed and not probabilities(file):
            yield (
                f"column {file.columns['score']} of {file.name} has values outside 0 to 1, but {needed[0]} needs "
                "probabilities (only auc goes by the order alone)"
            )


def _unfit(ask: Ask, metric: str, files: tuple[Predictions, Predictions], found: Match) -> Iterable[str]:
    """What does not fit the way in which the rows belong together."""
    yield from _unfit_rows(ask, metric, files) if found.paired else _unfit_groups(ask, files)
    method = ask.policy.get("method", "fixed")
    if "looks" in ask.policy and method != "group_sequential":
        yield "--looks belongs to --method group_sequential"
    if "horizon" in ask.policy and (found.paired or method == "always_valid"):
        who = "the same rows are looked at once" if found.paired else "--method always_valid has no end"
        yield f"--horizon is the end of a plan, but {who} (leave it out)"
    if "margin" in ask.policy and ask.policy.get("rule") != "non_inferiority":
        yield "--margin belongs to --rule non_inferiority (say it; or --min-improvement, the gain that needs no people)"


def _unfit_rows(ask: Ask, metric: str, files: tuple[Predictions, Predictions]) -> Iterable[str]:
    method = ask.policy.get("method", "fixed")
    if method != "fixed":
        yield f"--method {method} is for different callers, but the same rows are looked at once (leave it out)"
    unlabelled, unscored = all(f.labels is None for f in files), any(f.scores is None for f in files)
    if (unlabelled or unscored) and metric not in KNOWN:
        yield "labels and scores, by which the same rows are compared, are missing (different callers: --unpaired)"
    if ask.columns.covariate is not None:
        yield "--covariate takes variance out of KPIs of different callers, but these are the same rows (leave it out)"
    if ask.share is not None:
        yield "--share is the planned split of different callers, but these are the same rows (leave it out)"


def _unfit_groups(ask: Ask, files: tuple[Predictions, Predictions]) -> Iterable[str]:
    if ask.columns.covariate is None:
        return
    method = ask.policy.get("method", "fixed")
    if not files[0].kpis:
        yield "--covariate takes variance out of KPIs, but no KPI is compared (name one by --metric or --kpi)"
    if method != "fixed":
        yield f"--covariate is used at one look only, not by --method {method} (leave one of them out)"
    for file in files:
        if repeated(file.keys):
            yield f"--covariate needs one row per key, but keys of {file.name} come more than once (add them up by key)"


def _policy(ask: Ask, metric: str, rows: int, mistakes: list[str]) -> PromotionPolicy | None:
    fields: dict[str, Any] = {"min_improvement": default_improvement(metric), "method": "fixed"} | dict(ask.policy)
    if fields["method"] == "fixed" and fields.get("horizon") is None:
        fields["horizon"] = max(2, rows)
    try:
        return PromotionPolicy(metric=metric, goals=ask.goals, guardrails=ask.guardrails, **fields)
    except InvalidRecord as error:
        mistakes.append(error.why.rstrip("."))
        return None


def _paired(
    ask: Ask, task: Task, policy: PromotionPolicy, ours: Predictions, theirs: Predictions, found: Match
) -> HoldoutCase:
    first, second = found.champion, found.challenger
    labels = (
        ours.labels[first] if ours.labels is not None else theirs.labels[second] if theirs.labels is not None else None
    )
    assert labels is not None
    assert ours.scores is not None
    assert theirs.scores is not None
    times = ours.times[first] if ours.times is not None else theirs.times[second] if theirs.times is not None else None
    rows = PairedRows(
        labels=labels,
        champion=ours.scores[first],
        challenger=theirs.scores[second],
        times=times,
        keys=None if ours.keys is None else tuple(ours.keys[i] for i in first),
        segments={name: tuple(levels[i] for i in first) for name, levels in ours.segments.items()},
        kpis={name: (values[first], theirs.kpis[name][second]) for name, values in ours.kpis.items()},
    )
    return HoldoutCase(rows=rows, **_common(ask, task, policy, ours, theirs, found))


def _groups(
    ask: Ask, task: Task, policy: PromotionPolicy, ours: Predictions, theirs: Predictions, found: Match
) -> GroupCase:
    weights = None if ask.share is None else {"champion": 1 - ask.share, "challenger": ask.share}
    arms = {"champion": _group(ours), "challenger": _group(theirs)}
    return GroupCase(arms=arms, weights=weights, **_common(ask, task, policy, ours, theirs, found))


def _group(one: Predictions) -> GroupRows:
    return GroupRows(
        labels=one.labels,
        scores=one.scores,
        keys=one.keys,
        times=one.times,
        kpis=one.kpis,
        covariate=one.covariate,
        segments=one.segments,
    )


def _common(
    ask: Ask, task: Task, policy: PromotionPolicy, ours: Predictions, theirs: Predictions, found: Match
) -> dict[str, Any]:
    first, second = _names(ours, theirs)
    data = hashlib.sha256(f"{ours.digest} {theirs.digest} {sorted(ours.columns.items())} {found.how}".encode())
    taken = (ask.columns.positive, ask.columns.segments, ask.columns.covariate)
    asked = (ask.model, first, second, task, ask.share, ask.at, sorted(ask.kpis), taken)
    named = hashlib.sha256(f"{asked} {data.hexdigest()} {policy.digest()}".encode()).hexdigest()[:12]
    labelled = ours.labels is not None or theirs.labels is not None
    newest = [float(one.times.max()) for one in (ours, theirs) if one.times is not None and one.times.size]
    return {
        "model": ask.model,
        "champion": first,
        "challenger": second,
        "task": task,
        "policy": policy,
        "decision_id": f"files-{named}",
        "at": ask.at or (datetime.fromtimestamp(max(newest), UTC) if newest else _EPOCH),
        "identities": {
            "data": data.hexdigest(),
            "champion": f"{ours.path.name} {ours.digest}",
            "challenger": f"{theirs.path.name} {theirs.digest}",
            "policy": policy.digest(),
            "code": f"understudy {installed('understudy')}",
            "rows": found.how + _left(ours, theirs, found),
            "columns": _columns(ours, theirs),
            "task": f"{task}, {_seen_by(ask)}" if labelled else "no labels, only KPIs",
        },
    }


def _seen_by(ask: Ask) -> str:
    if ask.task is not None:
        return "as said"
    return "by the metric" if ask.metric in KNOWN else "by the labels"


def _columns(ours: Predictions, theirs: Predictions) -> str:
    """What was taken as what, e.g. "label left, score p, key id"."""
    first, second = (", ".join(f"{role} {name}" for role, name in one.columns.items()) for one in (ours, theirs))
    if first == second:
        return first or "no label, score, key or time"
    return f"{first or 'none'} of {ours.name}; {second or 'none'} of {theirs.name}"


def _left(ours: Predictions, theirs: Predictions, found: Match) -> str:
    if not any(found.left_out):
        return ""
    return "; left out: " + ", ".join(
        f"{n:,} of {one.path.name}" for n, one in zip(found.left_out, (ours, theirs), strict=True)
    )


def _names(ours: Predictions, theirs: Predictions) -> tuple[str, str]:
    """Stems of the files; longer names where they are alike."""
    for name in (lambda p: p.stem, lambda p: p.name, str):
        first, second = name(ours.path), name(theirs.path)
        if first != second:
            return first, second
    return f"{ours.path.stem} (champion)", f"{theirs.path.stem} (challenger)"
