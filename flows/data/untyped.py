"""Text where numbers belong: set aside value by value, not table by table."""

import polars as pl

from flows.config.model import ModelConfig

UNTYPED = "_untyped"
"""Column that says which values of a row are no numbers; null if all are."""
BETWEEN, WITHIN = "\x1f", "\x1e"  # two values; a column and its value


def without_untyped(config: ModelConfig, frame: pl.DataFrame) -> pl.DataFrame:
    r"""
    Make numbers of numeric features that come as text; what is no number becomes null and is said in `_untyped`.

    Args:
        config: Names the numeric features.
        frame: As read.

    Returns:
        The same frame where nothing comes as text.

    Example:
        >>> from flows.config.load import parse_config
        >>> said = {"model": "m", "task": "binary", "target": "y", "features": {"numeric": ["a"]}}
        >>> config = parse_config(said, "example")
        >>> without_untyped(config, pl.DataFrame({"a": ["1", "x", None]})).to_dict(as_series=False)
        {'a': [1.0, None, None], '_untyped': [None, 'a\x1ex', None]}
    """
    names = [name for name in config.features.numeric if name in frame.columns and frame[name].dtype == pl.String]
    if not names:
        return frame
    said = [_said(name) for name in names]
    numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in names]
    joined = pl.concat_str(said, separator=BETWEEN, ignore_nulls=True)
    return frame.with_columns(*numbers, pl.when(joined != "").then(joined).alias(UNTYPED))


def _said(name: str) -> pl.Expr:
    value = pl.col(name)
    wrong = value.is_not_null() & value.cast(pl.Float64, strict=False).is_null()
    return pl.when(wrong).then(pl.concat_str(pl.lit(name + WITHIN), value))
