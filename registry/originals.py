"""Fitted scikit-learn pipelines that are served as they are, because nothing leaner says the same."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from registry.errors import ArtifactRefused
from registry.records.version import Task
from registry.scoring.encoder import level_of, number_of
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec

ORIGINAL_FILE = "pipeline.skops"
TRUSTED = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "registry.scoring.dates.phases",
    "registry.scoring.dates.waves",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.DotProduct",
    "sklearn.gaussian_process.kernels.Exponentiation",
    "sklearn.gaussian_process.kernels.ExpSineSquared",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.RationalQuadratic",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
)
"""What a stored pipeline may be made of, besides what skops itself trusts; none of it is code."""


class Original:
    """
    Score by a fitted pipeline; slow, and faithful by definition.

    Args:
        spec: Names the features and their kinds, and by its inputs the columns that the pipeline knows.
        pipeline: Takes a polars DataFrame of these columns.
    """

    def __init__(self, spec: ScorerSpec, pipeline: Any) -> None:
        self._spec, self._pipeline = spec, pipeline

    @classmethod
    def of(cls, spec: ScorerSpec, raw: bytes) -> Self:
        """
        Read what `stored` wrote.

        Raises:
            ArtifactRefused: If scikit-learn or skops is not installed, or the bytes hold
                other types than the trusted ones, or cannot be read.
        """
        return cls(spec, loaded(raw, spec.trusted))

    def score(self, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """
        Score each row; shape (n,), or (n, classes).

        Raises:
            ValueError: If a numeric feature is not a number.
        """
        frame = _frame(self._spec, rows)
        if self._spec.task == "binary":
            return np.asarray(self._pipeline.predict_proba(frame)[:, 1], dtype=np.float64)
        if self._spec.task == "multiclass":
            return by_class(self._pipeline, self._pipeline.predict_proba(frame), len(self._spec.classes))
        return np.asarray(self._pipeline.predict(frame), dtype=np.float64)


def by_class(fitted: Any, probabilities: Any, classes: int) -> NDArray[np.float64]:
    """
    Put probabilities in the order of the classes; one that the fit has not seen has none.

    Args:
        fitted: Its `classes_` are numbers from 0 to *classes* - 1.
        probabilities: Shape (n, seen).
        classes: How many there are.

    Returns:
        Shape (n, classes).
    """
    found = np.zeros((len(probabilities), classes), dtype=np.float64)
    found[:, np.asarray(fitted.classes_, dtype=np.int64)] = probabilities
    return found


def original_spec(
    task: Task,
    numeric: Sequence[str],
    categorical: Sequence[str],
    order: Sequence[str],
    classes: Sequence[str] = (),
    trusted: Sequence[str] = (),
) -> ScorerSpec:
    """
    Describe a pipeline that is served as it is.

    Args:
        task: What it says.
        numeric, categorical: Its features.
        order: All of them, as in the table that it was fitted on.
        classes: Values of the target, if they are several.
        trusted: Types of the user's own that it is made of; see `own_types`.
    """
    kinds = {name: NumericColumn(feature=name) for name in numeric}
    tables = {name: CategoryColumn(feature=name, table={}, unknown=(), missing=()) for name in categorical}
    columns = tuple((kinds | tables)[name] for name in order)
    return ScorerSpec(
        task=task,
        kind="original",
        columns=columns,
        inputs=tuple(order),
        booster=ORIGINAL_FILE,
        classes=tuple(classes),
        trusted=tuple(trusted),
    )


def own_types(pipeline: Any, package: str) -> tuple[str, ...]:
    """
    Name the types of *package*, which a user trusts by naming it in the configuration, that a pipeline is made of.

    Raises:
        ArtifactRefused: If skops cannot write it.
    """
    if not package or package in _closed():
        return ()
    return tuple(name for name in _foreign(_written(pipeline), ()) if name.partition(".")[0] == package)


def stored(pipeline: Any, trusted: Sequence[str] = ()) -> bytes:
    """
    Write a fitted pipeline without pickle.

    Args:
        pipeline: Fitted.
        trusted: Types of the user's own; see `own_types`.

    Raises:
        ArtifactRefused: If it could not be loaded again: foreign types, or no skops.
    """
    raw = _written(pipeline)
    loaded(raw, trusted)
    return raw


def loaded(raw: bytes, trusted: Sequence[str] = ()) -> Any:
    """
    Read a fitted pipeline made of trusted types alone; no code of others runs.

    Args:
        raw: As `stored` wrote it.
        trusted: Types of the user's own, as the spec of the version names them; they must be of
            one package, which is neither Python's own nor a library's that is trusted in part.

    Raises:
        ArtifactRefused: If it holds other types, or cannot be read.
    """
    io = _skops()
    _refuse_trust(trusted)
    foreign = _foreign(raw, trusted)
    if foreign:
        raise _refused(f"its file {ORIGINAL_FILE} holds types that are not trusted: {', '.join(foreign)}")
    try:
        return io.loads(raw, trusted=[*TRUSTED, *trusted])
    except Exception as error:  # a type that is not installed, or of another version
        raise _refused(f"its file {ORIGINAL_FILE} cannot be loaded: {error}") from error


def _written(pipeline: Any) -> bytes:
    io = _skops()
    try:
        raw: bytes = io.dumps(pipeline)
    except Exception as error:  # skops names no error of its own for what it cannot write
        raise _refused(f"skops cannot write it: {error}") from error
    return raw


def _foreign(raw: bytes, trusted: Sequence[str]) -> list[str]:
    """Types that nobody trusts."""
    try:
        return sorted({*_skops().get_untrusted_types(data=raw)} - {*TRUSTED, *trusted})
    except Exception as error:  # foreign bytes
        raise _refused(f"its file {ORIGINAL_FILE} is unreadable: {error}") from error


def _refuse_trust(trusted: Sequence[str]) -> None:
    """A version may ask to trust one package of its user, and nothing that could open a door."""
    packages = sorted({name.partition(".")[0] for name in trusted})
    closed = [package for package in packages if package in _closed() or not package.isidentifier()]
    if closed:
        raise _refused(f"it asks to trust types of {', '.join(closed)}, which no version may")
    if len(packages) > 1:
        raise _refused(f"it asks to trust types of several packages: {', '.join(packages)}")
    strange = [name for name in trusted if not _is_own_class(name)]
    if strange:
        raise _refused(f"it asks to trust {', '.join(strange)}, which is no class of that package")


def _closed() -> set[str]:
    """Packages of which only the types in `TRUSTED` are: Python's own, and libraries."""
    return {*sys.stdlib_module_names, *(name.partition(".")[0] for name in TRUSTED)}


def _is_own_class(name: str) -> bool:
    """Whether it is a class that its package has made itself: no function, and nothing that it has only imported."""
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:  # whatever the module does when it is imported
        why = f"{type(error).__name__}: {error}; install it, or name its folder in PYTHONPATH"
        raise _refused(f"its module {module} cannot be imported here: {why}") from error
    return isinstance(found, type) and found.__module__.partition(".")[0] == name.partition(".")[0]


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ArtifactRefused(
            "The scorer was not loaded.",
            f"It is a fitted pipeline, and {error.name} is not installed.",
            "Install the extra: pip install 'understudy[flows]', or serve a version that is compiled.",
        ) from error
    return skops.io


def _frame(spec: ScorerSpec, rows: Sequence[Mapping[str, Any]]) -> Any:
    import polars as pl

    names = spec.inputs or [column.feature for column in spec.columns]
    columns = []
    for name, column in zip(names, spec.columns, strict=True):
        feature = column.feature
        if isinstance(column, NumericColumn):
            columns.append(pl.Series(name, [_finite(number_of(row, feature)) for row in rows], dtype=pl.Float64))
        else:
            columns.append(pl.Series(name, [_level(row.get(feature)) for row in rows], dtype=pl.String))
    return pl.DataFrame(columns)


def _finite(value: float) -> float | None:
    """Missing is null, as in the frame that the pipeline was fitted on."""
    return value if np.isfinite(value) else None


def _level(value: Any) -> str | None:
    return None if value is None or value != value else level_of(value)


def _refused(why: str) -> ArtifactRefused:
    mend = "Use estimators of scikit-learn, XGBoost or LightGBM, or name your own in training.families and install it."
    return ArtifactRefused("The original pipeline was refused.", f"{why[:1].upper()}{why[1:]}.", mend)
