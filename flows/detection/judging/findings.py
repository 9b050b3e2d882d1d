"""What a person should know of a column, in words."""

from flows.config.detection.settings import Detection
from flows.detection.judging.chance import one_sided, outside_by_chance
from flows.detection.univariate.statistics import ABSENT, ColumnStatistics

LEAST = 30  # values on either side below which nothing is said about a column
WORTH_A_WORD = 0.005  # a change of the missing share
_NAMED = 5
_SURELY = 0.001  # a level is called new or vanished if chance would hide it less often


def findings(column: ColumnStatistics, change: float, limits: Detection) -> tuple[str, ...]:
    """
    All that stands out.

    Args:
        column: As measured.
        change: Share of missing values now minus in the reference.
        limits: Thresholds.
    """
    if column.error == ABSENT:
        return (ABSENT,) if column.reference_n else (ABSENT, "the reference has no values")
    said = [column.note] if column.note else []
    said += [*_presence(column, change), *_oddities(column)]
    if min(column.n, column.reference_n) >= LEAST:
        said += _numbers(column, limits) if column.kind == "numeric" else _levels(column)
    return tuple(said)


def unread(column: ColumnStatistics) -> bool:
    """Whether the window's rows were not even counted, since they are of another type or cannot be read."""
    return bool(column.error) and column.n + column.missing == 0


def _presence(column: ColumnStatistics, change: float) -> list[str]:
    n, before = column.n, column.reference_n
    if unread(column):
        return [column.error]
    said = []
    if n == 0:
        said.append("no values at all" if before else "no values, as in the reference")
    elif before == 0:
        said.append("the reference has no values")
    elif min(n, before) < LEAST:
        said.append(f"not enough values to compare: {n}, and {before} in the reference")
    if abs(change) >= WORTH_A_WORD:
        said.append(f"missing values {'rose' if change > 0 else 'fell'} by {abs(change):.1%} of the rows")
    return said


def _oddities(column: ColumnStatistics) -> list[str]:
    said = [f"{column.infinite} infinite values"] if column.infinite else []
    if column.foreign:
        kind = "are no numbers" if column.kind == "numeric" else "are of another type"
        said.append(f"{column.foreign} values {kind}")
    return said


def _numbers(column: ColumnStatistics, limits: Detection) -> list[str]:
    return [*_constant(column), *_range(column), *_outliers(column, limits)]


def _constant(column: ColumnStatistics) -> list[str]:
    low, high, before, until = column.low, column.high, column.reference_low, column.reference_high
    if low is None or high is None or before is None or until is None or (low == high == before == until):
        return []
    said = [f"constant: {low:.4g}"] if low == high else []
    return [*said, f"it was constant: {before:.4g}"] if before == until else said


def _range(column: ColumnStatistics) -> list[str]:
    share = column.outside or 0.0
    number = round(share * column.n)
    if not number or outside_by_chance(number, column.reference_n, column.n) >= _SURELY:
        return []
    was = f"{column.reference_low:.4g} to {column.reference_high:.4g}"
    return [f"{share:.1%} lie outside of the reference's range ({was}): {column.low:.4g} to {column.high:.4g}"]


def _outliers(column: ColumnStatistics, limits: Detection) -> list[str]:
    share = column.outliers or 0.0
    if share <= limits.outlier_share:
        return []
    before = column.reference_outliers
    known = f" (in the reference {before:.1%})" if before is not None else ""
    return [f"{share:.1%} lie beyond 3 standard deviations{known}"]


def _levels(column: ColumnStatistics) -> list[str]:
    new = _beyond_chance(column.new_levels, column.n, column.reference_n)
    vanished = _beyond_chance(column.vanished_levels, column.reference_n, column.n)
    constant = ["constant: a single level"] if column.bins > 1 and _single(column) else []
    return [
        *constant,
        *_first([f"new level {level!r} in {share:.1%} of the rows" for level, share in new], "new levels"),
        *_first([f"level {level!r} vanished (it had {share:.1%})" for level, share in vanished], "vanished levels"),
    ]


def _single(column: ColumnStatistics) -> bool:
    """Whether one level is left: all others of both sides vanished."""
    return len(column.vanished_levels) + 1 >= column.bins


def _beyond_chance(levels: tuple[tuple[str, float], ...], here: int, there: int) -> list[tuple[str, float]]:
    return [(level, share) for level, share in levels if one_sided(round(share * here), here, there) < _SURELY]


def _first(said: list[str], name: str) -> list[str]:
    more = len(said) - _NAMED
    return [*said[:_NAMED], f"and {more} more {name}"] if more > 0 else said
