"""Two categorical samples of one column become `ColumnStatistics`."""

import msgspec
import numpy as np
import polars as pl

from flows.detection.univariate.bins import jensen_shannon, psi
from flows.detection.univariate.levels import chi_square, cramers_v, even_v, homogeneity, pooled
from flows.detection.univariate.ranks import Floats
from flows.detection.univariate.samples import Levels
from flows.detection.univariate.statistics import ColumnStatistics

MOST_NAMED = 20


def categorical_statistics(name: str, was: Levels, now: Levels) -> ColumnStatistics:
    """Measure all that two samples allow; `error` says what they do not."""
    sides = (("the reference", was), ("the window", now))
    seen = ColumnStatistics(
        name=name,
        kind="categorical",
        n=now.n,
        reference_n=was.n,
        missing=now.missing,
        reference_missing=was.missing,
        error="; ".join(f"{where} has no values: {_rows(side)}" for where, side in sides if side.n == 0),
    )
    if seen.error:
        return seen
    both = was.counts.join(now.counts, on="level", how="full", coalesce=True, maintain_order="left_right")
    ours, theirs = (both[side].fill_null(0.0).to_numpy() for side in ("rows", "rows_right"))
    return msgspec.structs.replace(
        seen,
        **_distances(ours, theirs, float(was.rest)),
        **_one_sided("vanished", both["level"], ours, theirs, was.n),
        **(_one_sided("new", both["level"], theirs, ours, now.n) if was.rest == 0 else {}),
    )


def _rows(side: Levels) -> str:
    return f"all of its {side.missing} rows are missing" if side.missing else "it has no rows"


def _distances(ours: Floats, theirs: Floats, rest: float) -> dict[str, float | int]:
    few, few_now = pooled(ours, theirs, known=ours > 0, rest=rest)
    all_was, all_now = (few, few_now) if rest else (ours, theirs)
    chi2, p = chi_square(all_was, all_now)
    return {
        "bins": all_was.size,
        "psi": psi(all_was, all_now),
        "jensen_shannon": jensen_shannon(all_was, all_now),
        "chi2": chi2,
        "chi2_p": p,
        "cramers_v_even": even_v(all_was, all_now),
        "cramers_v": cramers_v(chi2, float(all_was.sum() + all_now.sum())),
        "pooled_bins": few.size,
        "pooled_p": homogeneity(few, few_now),
        "pooled_v": even_v(few, few_now),
        "pooled_psi": psi(few, few_now),
    }


def _one_sided(
    which: str, levels: pl.Series, here: Floats, there: Floats, n: int
) -> dict[str, tuple[tuple[str, float], ...] | float | int]:
    only = np.flatnonzero((here > 0) & (there == 0))
    largest = only[np.argsort(-here[only], kind="stable")][:MOST_NAMED]
    named = zip(levels.gather(largest).to_list(), (here[largest] / n).tolist(), strict=True)
    return {f"{which}_levels": tuple(named), f"{which}_share": float(here[only].sum() / n), f"{which}_count": only.size}
