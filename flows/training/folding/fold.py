"""A fitted scikit-learn pipeline into a spec and files."""

from collections.abc import Sequence
from typing import Any

from flows.training.folding.columns import inputs, to_spec
from flows.training.folding.errors import CannotFold
from flows.training.folding.members import Folded, joined
from flows.training.folding.models import fold_classes, fold_model
from flows.training.folding.steps import fold_step, is_sparse
from registry.records.version import Task
from registry.scoring.spec import ScorerSpec


def fold(
    pipeline: Any,
    *,
    numeric: Sequence[str] = (),
    categorical: Sequence[str] = (),
    order: Sequence[str] | None = None,
    threshold: float = 0.5,
    classes: Sequence[str] = (),
) -> Folded:
    """
    Fold a fitted pipeline: its steps into tables and numbers, its model into plain arrays.

    Args:
        pipeline: Ends with a model of one output, fitted on columns in *order*. Steps:
            SimpleImputer, scalers, OneHotEncoder, OrdinalEncoder, TargetEncoder,
            ColumnTransformer, Pipeline, "passthrough".
        numeric: Features that callers send as numbers.
        categorical: Features that callers send as text.
        order: All of them in the order of the table that it was fitted on; numeric first
            if absent.
        threshold: A binary score at or above it predicts 1.
        classes: Values of the target that the numbers 0, 1, ... of a classifier stand for, if they are several.

    Raises:
        CannotFold: If a part has no exact counterpart.
        InvalidRecord: If the fitted numbers are not finite.
    """
    names = list(order or [*numeric, *categorical])
    steps = list(pipeline.steps) if hasattr(pipeline, "steps") else [("model", pipeline)]
    columns, named, sparse = inputs(names, frozenset(categorical)), names, False
    for _, step in steps[:-1]:
        columns, named, sparse = fold_step(step, columns, named), [], is_sparse(step)
    model = steps[-1][1]
    encoded = to_spec(columns, type(model).__name__)
    used = {column.feature for column in encoded}
    known = tuple(name for name in names if name in used)
    if classes:
        return _classes(model, encoded, known, tuple(classes), sparse=sparse)
    folded = fold_model(model, sparse=sparse)
    task: Task = "binary" if hasattr(model, "classes_") else "regression"
    spec = ScorerSpec(task=task, columns=encoded, inputs=known, threshold=threshold, **folded.fields)
    return Folded(spec, folded.booster, folded.arrays)


def _classes(model: Any, columns: Any, known: tuple[str, ...], classes: tuple[str, ...], *, sparse: bool) -> Folded:
    """One member for each class, all on the same columns."""
    seen = [int(one) for one in model.classes_]
    if seen != list(range(len(classes))):
        gone = ", ".join(name for number, name in enumerate(classes) if number not in seen)
        raise CannotFold(type(model).__name__, f"it has learned from no row of {gone}")
    link, parts = fold_classes(model, sparse=sparse)
    members = [Folded(ScorerSpec(task="regression", columns=columns, **p.fields), None, p.arrays) for p in parts]
    return joined(members, task="multiclass", kind="classes", inputs=known, link=link, classes=classes)
