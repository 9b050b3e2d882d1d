"""What the training rows looked like, in a few hundred kilobytes at most and without a single row."""

import base64
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from flows.detection.univariate.ranks import Floats, order_statistics
from flows.detection.univariate.samples import Levels, Numbers
from flows.detection.univariate.shortening import shortened
from flows.detection.univariate.tables import Table, columns
from registry.records.base import Record

if TYPE_CHECKING:
    from flows.config.model import ModelConfig  # imports pydantic

RESOLUTION = 1001
MOST_LEVELS = 1000
_PACKED_FROM = 64
_MOST_BYTES = 1_000_000


class NumericProfile(Record, frozen=True, kw_only=True):
    """
    A numeric column.

    Attributes:
        n: Values that are there; missing: values that are not.
        quantiles: Order statistics at equal steps, at most 1,001; the distribution function is known to 1/1000. Of
            more than 1,001 values those that nobody else shares are rounded, by less than 1/20 of a step.
        packed: How a long list of quantiles is stored: as JSON, deflated. Unpacked, and empty, in memory.
    """

    n: int
    missing: int
    mean: float = 0.0
    sd: float = 0.0
    quantiles: tuple[float, ...] = ()
    packed: bytes = b""

    def __post_init__(self) -> None:
        if self.packed:
            msgspec.structs.force_setattr(self, "quantiles", _unpacked(self.packed))
            msgspec.structs.force_setattr(self, "packed", b"")

    def sample(self) -> Numbers:
        """The sample, as far as it was kept."""
        return Numbers(np.array(self.quantiles, dtype=np.float64), self.n, self.missing, self.mean, self.sd)


class CategoryProfile(Record, frozen=True, kw_only=True):
    """
    A categorical column.

    Attributes:
        n: Values that are there; missing: values that are not.
        counts: Rows of each of the 1,000 most frequent levels.
        rest: Rows of all other levels.
    """

    n: int
    missing: int
    counts: dict[str, int] = {}
    rest: int = 0

    def sample(self) -> Levels:
        """The sample, as far as it was kept."""
        kinds = {"level": pl.String, "rows": pl.Float64}
        counts = pl.DataFrame({"level": list(self.counts), "rows": list(self.counts.values())}, schema=kinds)
        return Levels(counts, self.n, self.missing, self.rest)


class ReferenceProfile(Record, frozen=True, kw_only=True):
    """
    All columns, and the scores and labels if there were any.

    Attributes:
        classes: Instead of these two, of several classes: "score" those that were said, "label" the true ones.
    """

    rows: int
    numeric: dict[str, NumericProfile] = {}
    categorical: dict[str, CategoryProfile] = {}
    score: NumericProfile | None = None
    label: NumericProfile | None = None
    classes: dict[str, CategoryProfile] = {}

    def to_json(self) -> bytes:
        """Encode with sorted keys, quantiles packed."""
        plain = self.to_dict()
        if not self.classes:
            del plain["classes"]
        for one in (*plain["numeric"].values(), plain["score"], plain["label"]):
            if one is not None and len(one["quantiles"]) >= _PACKED_FROM:
                _pack(one)
        return msgspec.json.encode(plain, order="sorted")


def profile(frame: pl.DataFrame, config: "ModelConfig", *, threads: int = 1) -> ReferenceProfile:
    """
    Profile the feature columns, and `_score` and `_label` where present.

    Args:
        frame: As `flows.data` prepares it.
        config: Names the features.
        threads: Columns profiled at once.
    """
    found = profile_table(frame, config.features.numeric, config.features.categorical, threads=threads)
    return msgspec.structs.replace(
        found,
        score=numeric_profile(frame["_score"]) if "_score" in frame.columns else None,
        label=numeric_profile(frame["_label"]) if "_label" in frame.columns else None,
    )


def profile_table(
    table: Table, numeric: Iterable[str], categorical: Iterable[str], *, threads: int = 1
) -> ReferenceProfile:
    """
    Profile columns of a table, each read when it is its turn; those that the table has not are left out.

    Args:
        table: A frame, a query, or the path of a Parquet file.
        numeric: Names of numeric columns.
        categorical: Names of categorical columns.
        threads: Columns profiled at once.
    """
    there = columns(table)
    numbers, levels = ([name for name in names if name in there.schema] for names in (numeric, categorical))
    with ThreadPoolExecutor(max(1, threads)) as pool:
        of_numbers = list(pool.map(lambda name: numeric_profile(there.take(name)), numbers))
        of_levels = list(pool.map(lambda name: category_profile(there.take(name)), levels))
    return ReferenceProfile(
        rows=there.rows(),
        numeric=dict(zip(numbers, of_numbers, strict=True)),
        categorical=dict(zip(levels, of_levels, strict=True)),
    )


def numeric_profile(column: pl.Series) -> NumericProfile:
    """Profile one numeric column; NaN, infinity and what is no number count as missing."""
    found = Numbers.of(column)
    if found.n == 0:
        return NumericProfile(n=0, missing=found.missing)
    return NumericProfile(
        n=found.n, missing=found.missing, mean=found.mean, sd=found.sd, quantiles=tuple(_kept(found.values))
    )


def category_profile(column: pl.Series) -> CategoryProfile:
    """Profile one categorical column."""
    found = Levels.of(column)
    kept = found.counts.head(MOST_LEVELS)
    counts = dict(zip(kept["level"].to_list(), map(int, kept["rows"].to_list()), strict=True))
    return CategoryProfile(n=found.n, missing=found.missing, counts=counts, rest=found.n - sum(counts.values()))


def _kept(values: Floats) -> list[float]:
    if values.size <= RESOLUTION:
        return [float(value) for value in values]
    return shortened(values, order_statistics(values, RESOLUTION))


def _pack(plain: dict[str, Any]) -> None:
    deflated = zlib.compress(msgspec.json.encode(plain["quantiles"]), 9)
    plain["packed"], plain["quantiles"] = base64.b64encode(deflated).decode(), []


def _unpacked(packed: bytes) -> tuple[float, ...]:
    inflate = zlib.decompressobj()
    try:
        return msgspec.json.decode(inflate.decompress(packed, _MOST_BYTES), type=tuple[float, ...])
    except (zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"packed quantiles cannot be read: {error}") from error
