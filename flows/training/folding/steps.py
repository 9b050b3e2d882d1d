"""The steps of a fitted pipeline before its model, folded one after the other."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flows.training.folding.columns import (
    Column,
    Level,
    Number,
    filled,
    indicator,
    known,
    multiplied,
    subtracted,
)
from flows.training.folding.errors import CannotFold
from registry.scoring.dates import CYCLES, Cycle
from registry.scoring.spec import DateColumn


def fold_step(step: Any, columns: list[Column], names: Sequence[str]) -> list[Column]:
    """
    Fold one fitted transformer, or several in a Pipeline or ColumnTransformer.

    Args:
        step: The transformer, or "passthrough".
        columns: What comes in.
        names: Their names, for a ColumnTransformer that chooses by name.

    Raises:
        CannotFold: If it has no exact counterpart.
    """
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return columns
    if isinstance(step, str):
        return []
    name = type(step).__name__
    if name == "FunctionTransformer" and step.func is None:  # what "passthrough" becomes when it is fitted
        return columns
    if name == "FunctionTransformer" and step.func in CYCLES:
        return _dates(CYCLES[step.func], columns)
    if name == "Pipeline":
        return _pipeline(step, columns, names)
    if name == "ColumnTransformer":
        return _column_transformer(step, columns, names)
    if name not in _FOLDS or type(step).__module__.split(".")[0] != "sklearn":
        raise CannotFold(name, "it is not among the steps that can be folded")
    return _FOLDS[name](step, columns)


def _dates(cycles: Sequence[Cycle], columns: Sequence[Column]) -> list[Column]:
    """Place each date within every cycle."""
    return [
        Number(DateColumn(feature=column.feature, cycle=cycle))
        for column in columns
        for cycle in cycles
        if isinstance(column, Number)
    ]


def is_sparse(step: Any) -> bool:
    """Whether a step hands a sparse matrix to the model, where XGBoost takes 0 for missing."""
    if type(step).__name__ == "Pipeline":
        return any(is_sparse(part) for _, part in step.steps[-1:])
    if type(step).__name__ == "ColumnTransformer":
        return bool(step.sparse_output_)
    return type(step).__name__ == "OneHotEncoder" and bool(step.sparse_output)


def _pipeline(step: Any, columns: list[Column], names: Sequence[str]) -> list[Column]:
    for _, part in step.steps:
        columns = fold_step(part, columns, names)
        names = ()
    return columns


def _column_transformer(step: Any, columns: list[Column], names: Sequence[str]) -> list[Column]:
    found: list[Column] = []
    for _, part, chosen in step.transformers_:
        places = _places(chosen, names, len(columns))
        part_names = [names[place] for place in places] if names else ()
        if places:
            found += fold_step(part, [columns[place] for place in places], part_names)
    return found


def _places(chosen: Any, names: Sequence[str], count: int) -> list[int]:
    if isinstance(chosen, slice) and not isinstance(chosen.start or chosen.stop, str):
        return list(range(count))[chosen]
    if isinstance(chosen, slice):
        raise CannotFold("ColumnTransformer", "it chooses columns by a slice of names")
    several = [chosen] if isinstance(chosen, str | int) else list(chosen)
    if several and all(isinstance(one, bool | np.bool_) for one in several):
        return [place for place, yes in enumerate(several) if yes]
    unknown = [one for one in several if isinstance(one, str) and one not in names]
    if unknown:
        raise CannotFold("ColumnTransformer", f"it chooses {unknown[0]!r}, which is no feature")
    return [list(names).index(one) if isinstance(one, str) else int(one) % count for one in several]


def _imputer(step: Any, columns: list[Column]) -> list[Column]:
    if not _is_missing(step.missing_values):
        raise CannotFold("SimpleImputer", f"it takes {step.missing_values!r} for missing")
    found = [_imputed(step, place, column) for place, column in enumerate(columns)]
    kept = [column for column in found if column is not None]
    if step.indicator_ is None:
        return kept
    marked = [columns[place] for place in step.indicator_.features_]
    numbers = [indicator(column) for column in marked if isinstance(column, Number)]
    if len(numbers) < len(marked):
        raise CannotFold("SimpleImputer", "it marks missing levels of categories")
    return [*kept, *numbers]


def _imputed(step: Any, place: int, column: Column) -> Column | None:
    value = step.statistics_[place]
    gone = _is_missing(value)
    if gone and not step.keep_empty_features:
        return None  # a column without any value is left out
    if isinstance(column, Number):
        return filled(column, 0.0 if gone else float(value))
    if column.levels is None:
        return Level(column.feature, missing=value)
    values = tuple(value if _is_missing(one) else one for one in column.values)
    return Level(column.feature, column.levels, values)


def _is_missing(value: Any) -> bool:
    return value is None or value != value


def _numbers(step: Any, columns: list[Column], change: Callable[[Number, int, str], Number]) -> list[Column]:
    """Change numbers by *change*; ask the step itself what it makes of encoded categories."""
    part = type(step).__name__
    if getattr(step, "clip", False):
        raise CannotFold(part, "it clips")
    asked = _asked(columns, np.nan, part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # columns without names
        answers = step.transform(np.array(asked, dtype=np.float64).T)
    return [
        change(column, place, part)
        if isinstance(column, Number)
        else Level(column.feature, column.levels, tuple(answers[: len(column.values), place].tolist()))
        for place, column in enumerate(columns)
    ]


def _asked(columns: Sequence[Column], blank: Any, part: str) -> list[list[Any]]:
    """For each column the values to ask for; equally many, short ones filled up with the first."""
    rows = max((len(column.values) for column in columns if isinstance(column, Level)), default=1)
    asked: list[list[Any]] = []
    for column in columns:
        values = list(column.values) if isinstance(column, Level) else [blank]
        if isinstance(column, Level) and not column.encoded and blank is not None:
            raise CannotFold(part, f"it gets {column.feature} as text")
        asked.append(values + values[:1] * (rows - len(values)))
    return asked


def _standard(step: Any, columns: list[Column]) -> list[Column]:
    means = step.mean_ if step.with_mean else np.zeros(len(columns))
    scales = step.scale_ if step.with_std else np.ones(len(columns))
    return _numbers(step, columns, lambda n, i, part: subtracted(n, float(means[i]), float(scales[i]), part))


def _robust(step: Any, columns: list[Column]) -> list[Column]:
    centers = step.center_ if step.with_centering else np.zeros(len(columns))
    scales = step.scale_ if step.with_scaling else np.ones(len(columns))
    return _numbers(step, columns, lambda n, i, part: subtracted(n, float(centers[i]), float(scales[i]), part))


def _max_abs(step: Any, columns: list[Column]) -> list[Column]:
    return _numbers(step, columns, lambda n, i, part: subtracted(n, 0.0, float(step.scale_[i]), part))


def _min_max(step: Any, columns: list[Column]) -> list[Column]:
    return _numbers(step, columns, lambda n, i, part: multiplied(n, float(step.scale_[i]), float(step.min_[i]), part))


def _encoder(step: Any, columns: list[Column]) -> list[Column]:
    """Ask the encoder what it makes of every known level, of an unknown one and of none."""
    part = type(step).__name__
    levels = [_levels(step, place, column, part) for place, column in enumerate(columns)]
    if getattr(step, "handle_unknown", "") == "error":
        names_ = ", ".join(column.feature for column in levels)
        raise CannotFold(part, f"it refuses unknown levels of {names_}: set handle_unknown when it is fitted")
    asked = np.array(_asked(levels, None, part), dtype=object).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # unknown levels, and columns without names
        answers = step.transform(asked)
    answers = answers.toarray() if hasattr(answers, "toarray") else np.asarray(answers)
    widths = _widths(step, len(columns), answers.shape[1])
    found: list[Column] = []
    for column, width in zip(levels, widths, strict=True):
        for place in range(len(found), len(found) + width):
            values = tuple(answers[: len(column.values), place].astype(np.float64).tolist())
            found.append(Level(column.feature, column.levels, values))
    return found


def _levels(step: Any, place: int, column: Column, part: str) -> Level:
    if isinstance(column, Number):
        raise CannotFold(part, f"it takes the number {column.feature} for a category; declare it as one")
    if column.levels is not None:
        return column
    texts = [level for level in step.categories_[place] if isinstance(level, str)]
    others = [level for level in step.categories_[place] if not isinstance(level, str) and not _is_missing(level)]
    if others:
        raise CannotFold(part, f"levels of {column.feature} are no text, e.g. {others[0]!r}")
    return known(column, texts, _missing_level(step, place))


def _missing_level(step: Any, place: int) -> Any:
    """What the encoder was fitted on where a level was missing: None, or NaN as pandas writes it."""
    return next((level for level in step.categories_[place] if level is None or level != level), None)


def _widths(step: Any, columns: int, total: int) -> list[int]:
    if type(step).__name__ == "TargetEncoder" and columns:
        return [total // columns] * columns  # one for each class, if they are several
    if type(step).__name__ != "OneHotEncoder":
        if total != columns:
            raise CannotFold(type(step).__name__, f"it makes {total} columns of {columns}")
        return [1] * columns
    return [int(width) for width in step._n_features_outs]  # no public name says which column is whose


_FOLDS: dict[str, Callable[[Any, list[Column]], list[Column]]] = {
    "SimpleImputer": _imputer,
    "StandardScaler": _standard,
    "RobustScaler": _robust,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "OneHotEncoder": _encoder,
    "OrdinalEncoder": _encoder,
    "TargetEncoder": _encoder,
}
