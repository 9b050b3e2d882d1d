"""A name for rows: the same rows, in any order, give the same one on any machine."""

import hashlib

import polars as pl


def rows_digest(frame: pl.DataFrame) -> str:
    """
    Hash names, types and values.

    Args:
        frame: Numbers, text, truth values and times.

    Returns:
        "rows:" and a sha256 in hexadecimal.

    Example:
        >>> rows = pl.DataFrame({"a": [1.0, 2.0], "b": ["x", None]})
        >>> rows_digest(rows) == rows_digest(rows[::-1])
        True
    """
    first = [name for name in ("_time", "_key") if name in frame.columns]
    ordered = frame.sort([*first, *(name for name in frame.columns if name not in first)], nulls_last=True)
    digest = hashlib.sha256()
    for column in ordered:
        digest.update(f"{column.name}\0{column.dtype}\0".encode())
        digest.update(_bytes(column))
    return f"rows:{digest.hexdigest()}"


def _bytes(column: pl.Series) -> bytes:
    """Which are missing, then the values one after the other; text with its lengths before."""
    missing = column.is_null().to_numpy().tobytes()
    if column.dtype == pl.String:
        text = column.fill_null("")
        return missing + text.str.len_bytes().to_numpy().tobytes() + "".join(text.to_list()).encode()
    return missing + column.cast(pl.Float64).fill_null(0.0).to_numpy().astype("<f8").tobytes()
