"""More than two models on the same rows: first all together, then in pairs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from flows.stats.checks import choice, matrix, share
from flows.stats.paired.binary import mcnemar
from flows.stats.paired.signed_rank import signed_rank
from flows.stats.results import Effect, probability
from flows.stats.wald import wald

PostHoc = Literal["ranks", "signed-rank"]

_TERMS = 60
_POST_HOC = {"ranks": "mean ranks", "signed-rank": "Wilcoxon signed-rank"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """
    Two of several models.

    Attributes:
        first, second: Columns of the models.
        effect: Second minus first; its own p-value is not corrected.
        p_value, log_p: Corrected by Holm for all pairs.
    """

    first: int
    second: int
    effect: Effect
    p_value: float
    log_p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """
    Whether several models differ at all, and which pairs do.

    Attributes:
        method: Name of the overall test.
        statistic: Chi-squared with one degree of freedom less than models.
        p_value, log_p: Of the overall test; above 0.
        n: Rows or data sets.
        means: Share right of each model, or its mean rank (1 is the worst).
        pairs: Every pair once, in the order of the columns.
        note: What a reader must know.
    """

    method: str
    statistic: float
    p_value: float
    log_p: float
    n: int
    means: tuple[float, ...]
    pairs: tuple[Pair, ...]
    note: str = ""


def cochran_q(right: ArrayLike, *, confidence: float = 0.95) -> Several:
    """
    Cochran's Q test on which rows each model got right, then McNemar's mid-p for each pair.

    Args:
        right: Shape (n, models), 1 where the model was right; two models or more.
        confidence: Of the interval of each pair, strictly between 0 and 1; not corrected.

    Raises:
        ValueError: If values are not 0 and 1, or there are fewer than two models.

    Source:
        Cochran (1950), Biometrika 37:256-266; Holm (1979), Scand. J. Stat. 6:65-70; agrees
        with `statsmodels.stats.contingency_tables.cochrans_q`. The example is that of
        `mlxtend.evaluate.cochrans_q`: 84, 92 and 92 of 100 rows right.

    Example:
        >>> right = np.ones((100, 3))
        >>> right[:16, 0] = 0
        >>> right[[0, 1, 2, 3, 4, 5, 20, 21], 1] = 0
        >>> right[[0, 1, 2, 6, 20, 21, 98, 99], 2] = 0
        >>> found = cochran_q(right)
        >>> f"Q = {found.statistic:.3f} p = {found.p_value:.3f}"
        'Q = 7.529 p = 0.023'
    """
    table = _models("right", right, 2)
    share("confidence", confidence)
    bad = int(np.count_nonzero((table != 0) & (table != 1)))
    if bad:
        raise ValueError(f"right has {bad} of {table.size} values other than 0 and 1; recode them")
    mixed = np.ptp(table, axis=1) > 0
    statistic = _cochran(table[mixed]) if mixed.any() else 0.0

    def compare(first: int, second: int) -> Effect:
        return mcnemar(table[:, first], table[:, second], confidence=confidence)

    said = "" if mixed.any() else _nothing(table)
    return _several("Cochran's Q", statistic, table, table.mean(axis=0) if len(table) else None, compare, said)


def friedman(scores: ArrayLike, *, post_hoc: PostHoc = "ranks", confidence: float = 0.95) -> Several:
    """
    Friedman's rank test on scores of several models, then all pairs, corrected by Holm.

    Args:
        scores: Shape (n, models), of the same rows, folds or data sets; more is better;
            three models or more.
        post_hoc: Pairs by their mean ranks (Demsar), or by the signed-rank test, whose
            answer does not depend on which other models take part.
        confidence: Of the interval of each pair, strictly between 0 and 1; not corrected.

    Raises:
        ValueError: If scores are not finite, or there are fewer than three models.

    Source:
        Friedman (1937), J. Am. Stat. Assoc. 32:675-701; Demsar (2006), J. Mach. Learn. Res.
        7:1-30, section 3.2.2; agrees with `scipy.stats.friedmanchisquare`. The example is
        that of R `friedman.test` (rounding first base).

    Example:
        >>> rounding = [5.40, 5.50, 5.55, 5.85, 5.70, 5.75, 5.20, 5.60, 5.50, 5.55, 5.50, 5.40, 5.90, 5.85, 5.70]
        >>> rounding += [5.45, 5.55, 5.60, 5.40, 5.40, 5.35, 5.45, 5.50, 5.35, 5.25, 5.15, 5.00, 5.85, 5.80, 5.70]
        >>> rounding += [5.25, 5.20, 5.10, 5.65, 5.55, 5.45, 5.60, 5.35, 5.45, 5.05, 5.00, 4.95, 5.50, 5.50, 5.40]
        >>> rounding += [5.45, 5.55, 5.50, 5.55, 5.55, 5.35, 5.45, 5.50, 5.55, 5.50, 5.45, 5.25, 5.65, 5.60, 5.40]
        >>> rounding += [5.70, 5.65, 5.55, 6.30, 6.30, 6.25]
        >>> found = friedman(np.reshape(rounding, (22, 3)))
        >>> f"chi-squared = {found.statistic:.3f} p = {found.p_value:.6f}"
        'chi-squared = 11.143 p = 0.003805'
    """
    table = _models("scores", scores, 3)
    share("confidence", confidence)
    choice("post_hoc", post_hoc, _POST_HOC)
    n, models = table.shape
    ranks = stats.rankdata(table, axis=1) if n else table
    mixed = bool(n) and bool(np.any(np.ptp(ranks, axis=1) > 0))
    statistic = float(stats.friedmanchisquare(*table.T).statistic) if mixed else 0.0
    means = ranks.mean(axis=0) if n else None

    def compare(first: int, second: int) -> Effect:
        if post_hoc == "signed-rank" or means is None:
            return signed_rank(table[:, first], table[:, second], confidence=confidence)
        error = math.sqrt(models * (models + 1) / (6 * n))
        return wald(
            float(means[second] - means[first]), error, n=n, method="difference of mean ranks", confidence=confidence
        )

    return _several("Friedman", statistic, table, means, compare, "" if mixed else _nothing(table))


def holm(log_p: ArrayLike) -> NDArray[np.float64]:
    """
    Log p-values corrected for how many there are.

    Source:
        Holm (1979), Scand. J. Stat. 6:65-70; agrees with
        `statsmodels.stats.multitest.multipletests`, and goes on below 1e-308.

    Example:
        >>> np.exp(holm(np.log([0.01, 0.04, 0.03]))).round(4).tolist()
        [0.03, 0.06, 0.06]
    """
    given = np.asarray(log_p, dtype=np.float64)
    bad = int(np.count_nonzero(~(given <= 0)))
    if bad:
        raise ValueError(f"log_p has {bad} of {given.size} values that are NaN or above 0; give logarithms of p-values")
    order = np.argsort(given, kind="stable")
    factors = np.log(np.arange(given.size, 0, -1))
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(0.0, np.maximum.accumulate(given[order] + factors))
    return corrected


def _models(name: str, values: ArrayLike, fewest: int) -> NDArray[np.float64]:
    table = matrix(name, values)
    if table.shape[1] < fewest:
        raise ValueError(f"{name} has {table.shape[1]} models (columns); give at least {fewest}")
    return table


def _cochran(mixed: NDArray[np.float64]) -> float:
    from statsmodels.stats.contingency_tables import cochrans_q

    return float(cochrans_q(mixed).statistic)


def _nothing(table: NDArray[np.float64]) -> str:
    return "all models are alike on every row" if len(table) else "no rows"


def _several(
    method: str,
    statistic: float,
    table: NDArray[np.float64],
    means: NDArray[np.float64] | None,
    compare: Callable[[int, int], Effect],
    note: str,
) -> Several:
    models = table.shape[1]
    log_p = min(0.0, _log_chi2(statistic, models - 1))
    pairs = list(combinations(range(models), 2))
    effects = [compare(*pair) for pair in pairs]
    corrected = holm([effect.log_p for effect in effects])
    return Several(
        method=f"{method}, pairs corrected by Holm",
        statistic=statistic,
        p_value=probability(log_p),
        log_p=log_p,
        n=len(table),
        means=tuple(map(float, means)) if means is not None else (),
        pairs=tuple(
            Pair(first=i, second=j, effect=effect, p_value=probability(own), log_p=own)
            for (i, j), effect, own in zip(pairs, effects, map(float, corrected), strict=True)
        ),
        note=note,
    )


def _log_chi2(statistic: float, freedom: int) -> float:
    plain = float(stats.chi2.logsf(statistic, freedom))
    if math.isfinite(plain):
        return plain
    # The asymptotic series of the incomplete gamma function (DLMF 8.11.2), as good as exact so far out.
    half, shape = statistic / 2, freedom / 2
    terms = np.cumprod((shape - np.arange(1, _TERMS)) / half)
    return (shape - 1) * math.log(half) - half - math.lgamma(shape) + math.log1p(float(terms.sum()))
