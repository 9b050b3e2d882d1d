"""Columns of a pipeline, and how to fold fitted ones into tables by asking them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from flows.config.data import Features
from registry.scoring.dates import phases, waves
from registry.scoring.spec import CategoryColumn

CROSS_FITS = 5
RARE = 20  # rows below which a level is thrown together with the other rare ones
MOST_LEVELS = 100
TARGETS = {"binary": "binary", "multiclass": "multiclass", "regression": "continuous"}


def columns(
    features: Features, numeric: Any, category: Callable[[], Any], parts_of: Callable[[Any], Any] = phases
) -> Any:
    """
    Make a ColumnTransformer: all numbers by *numeric*, each category by one of its own.

    One encoder per category lets each be asked for its table; see `category_table`.

    Args:
        parts_of: What is made of a date before it goes the way of the numbers: `phases` for trees,
            which cut one line anywhere, and `waves` for sums of products, which cannot.
    """
    from sklearn.base import clone
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    parts = [("numeric", numeric, list(features.numeric))] if features.numeric else []
    if features.dates:
        made = FunctionTransformer(parts_of)
        after = made if isinstance(numeric, str) else make_pipeline(made, clone(numeric))
        parts.append(("dates", after, list(features.dates)))
    parts += [(place(n), category(), [name]) for n, name in enumerate(features.categorical)]
    return ColumnTransformer(parts, sparse_threshold=0.0)


def target_encoder(task: str, seed: int) -> Any:
    """
    Make an encoder of each level's shrunken mean label.

    Its `fit_transform` gives each row the means of the *other* rows (cross fitting), so
    that the model does not trust rare levels too much; `transform` uses all rows, and
    that is what is served.
    """
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import TargetEncoder

    others = KFold(CROSS_FITS, shuffle=True, random_state=seed)
    return TargetEncoder(target_type=TARGETS[task], cv=others)


def targeted(features: Features, task: str, seed: int) -> Any:
    """Make an encoder for trees: numbers as they are, missing included, and means for categories."""
    return columns(features, "passthrough", lambda: target_encoder(task, seed))


def filled_targeted(features: Features, task: str, seed: int) -> Any:
    """Make the same with the median for missing numbers."""
    from sklearn.impute import SimpleImputer

    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return columns(features, fill, lambda: target_encoder(task, seed))


def scaled(features: Features) -> Any:
    """Make an encoder for sums of products: filled, of one size, and one column for each level."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    def one_hot() -> Any:
        return OneHotEncoder(
            handle_unknown="infrequent_if_exist", min_frequency=RARE, max_categories=MOST_LEVELS, sparse_output=False
        )

    numeric = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    return columns(features, numeric, one_hot, waves)


def category_tables(features: Features, transformer: Any) -> list[CategoryColumn]:
    """Fold the fitted encoders of *transformer*, in the order of its columns."""
    fitted = transformer.named_transformers_
    return [category_table(name, fitted[place(n)]) for n, name in enumerate(features.categorical)]


def category_table(feature: str, encoder: Any) -> CategoryColumn:
    """
    Ask a fitted encoder what it makes of every known level, of an unknown one and of none.

    Asking works for any encoder (infrequent levels, smoothing, missing as a level),
    without knowing its insides.
    """
    levels = [level for level in encoder.categories_[0] if isinstance(level, str)]
    unknown = "?"
    while unknown in levels:
        unknown += "?"
    asked = np.array([[level] for level in [*levels, unknown, None]], dtype=object)
    *known, other, missing = [tuple(map(float, row)) for row in encoder.transform(_frame(feature, asked))]
    return CategoryColumn(feature=feature, table=dict(zip(levels, known, strict=True)), unknown=other, missing=missing)


def place(number: int) -> str:
    """Name the transformer of the category at *number*; feature names may hold anything."""
    return f"category_{number}"


def _frame(feature: str, values: Any) -> Any:
    import polars as pl

    return pl.DataFrame({feature: pl.Series(values[:, 0].tolist(), dtype=pl.String)})
