"""What changed between two versions, and whether it is better."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from flows.reports.measures import less_is_better
from registry.records.base import Record
from registry.records.version import Feature, ModelVersion

Effect = Literal["added", "removed", "changed", "better", "worse", "same"]
Part = Literal["task", "features", "levels", "parameters", "metrics", "data", "code", "libraries", "environment"]
_FEW = 8
_HEADLINES = ("auc", "r2", "accuracy", "rmse", "mae")


def headline(metrics: Mapping[str, float]) -> dict[str, float]:
    """
    Choose the one metric to speak of where there is room for one only.

    Example:
        >>> headline({"brier": 0.1, "auc": 0.9})
        {'auc': 0.9}
    """
    name = next((name for name in (*_HEADLINES, *metrics) if name in metrics), None)
    return {} if name is None else {name: metrics[name]}


class Change(Record, frozen=True, kw_only=True):
    """
    One thing that the two do not share; a metric also if they do.

    Attributes:
        before, after: Values; None where there is none.
    """

    part: Part
    name: str
    before: Any = None
    after: Any = None
    effect: Effect


class Difference(Record, frozen=True, kw_only=True):
    """
    All that changed from *before* to *after*.

    Attributes:
        same_rows: Whether the metrics of both are of the same holdout rows; otherwise they are a hint only.
    """

    model: str
    before: str
    after: str
    same_rows: bool
    changes: tuple[Change, ...]

    def of(self, part: Part) -> list[Change]:
        """Changes of one part."""
        return [change for change in self.changes if change.part == part]


def difference(before: ModelVersion, after: ModelVersion) -> Difference:
    """
    Compare two versions of one model, field by field.

    Metrics are compared on the same rows where *before* was the champion that *after* was compared with.
    """
    same_rows = after.parent == before.version and bool(after.baseline_metrics)
    return Difference(
        model=after.model,
        before=before.version,
        after=after.version,
        same_rows=same_rows,
        changes=(
            *_fields("task", before, after, ("task", "target", "algorithm", "serving", "calibration", "threshold")),
            *_fields("task", before, after, ("classes",)),
            *_features(before, after),
            *_mapped("parameters", before.params, after.params),
            *_metrics(after.baseline_metrics if same_rows else before.metrics, after.metrics),
            *_data(before, after),
            *_fields("code", before, after, ("code_version", "config_digest", "seed")),
            *_mapped("libraries", before.dependencies, after.dependencies),
            *_mapped("environment", before.environment, after.environment),
        ),
    )


def _fields(part: Part, before: Any, after: Any, names: tuple[str, ...]) -> Iterator[Change]:
    for name in names:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Change(part=part, name=name, before=old, after=new, effect="changed")


def _mapped(part: Part, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if name not in before or name not in after:
            yield Change(part=part, name=name, before=old, after=new, effect="removed" if name in before else "added")
        elif old != new:
            yield Change(part=part, name=name, before=old, after=new, effect="changed")


def _features(before: ModelVersion, after: ModelVersion) -> Iterator[Change]:
    old, new = ({feature.name: feature for feature in version.features} for version in (before, after))
    kinds = [{name: feature.kind for name, feature in features.items()} for features in (old, new)]
    yield from _mapped("features", *kinds)
    for name in old.keys() & new.keys():
        yield from _levels(old[name], new[name])


def _levels(old: Feature, new: Feature) -> Iterator[Change]:
    gone, come = sorted({*old.levels} - {*new.levels}), sorted({*new.levels} - {*old.levels})
    if gone:
        yield Change(part="levels", name=new.name, before=_some(gone), effect="removed")
    if come:
        yield Change(part="levels", name=new.name, after=_some(come), effect="added")


def _some(levels: list[str]) -> list[str]:
    more = len(levels) - _FEW
    return [*levels[:_FEW], f"and {more} more"] if more > 0 else levels


def _metrics(before: Mapping[str, float], after: Mapping[str, float]) -> Iterator[Change]:
    for name in [*after, *(name for name in before if name not in after)]:
        old, new = before.get(name), after.get(name)
        yield Change(part="metrics", name=name, before=old, after=new, effect=effect_of(name, old, new))


def effect_of(metric: str, old: float | None, new: float | None) -> Effect:
    """
    Say whether *new* is better.

    Example:
        >>> effect_of("auc", 0.8, 0.7), effect_of("brier", 0.2, 0.1), effect_of("auc", None, 0.7)
        ('worse', 'better', 'added')
    """
    if old is None or new is None:
        return "added" if old is None else "removed"
    if old == new:
        return "same"
    return "better" if (new < old) is less_is_better(metric) else "worse"


def _data(before: ModelVersion, after: ModelVersion) -> Iterator[Change]:
    return _fields("data", before.data, after.data, ("rows", "start", "end", "source", "version", "fingerprint"))
