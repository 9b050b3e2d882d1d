"""Missing labels: do they arrive equally often in every arm?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from flows.stats import checks
from flows.stats.integrity.multinomial import log_mixture, share_interval
from flows.stats.integrity.srm import ALPHA, STRENGTH, sample_ratio
from flows.stats.results import probability
from flows.stats.tails import log_chi2

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRate:
    """
    How many of an arm's requests have a label.

    Attributes:
        rate: Labelled share; 0 where nothing was served.
        low, high: Always-valid interval of the rate; holds for all arms together.
    """

    arm: str
    served: int
    labelled: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRatio:
    """
    Labelled shares of the arms against each other.

    Attributes:
        p_value, log_p: Always-valid: may be looked at after every request.
        p_chi2, log_p_chi2: Of a single look, chi-square test of homogeneity.
        log_e: Log e-value against "labels arrive equally often in every arm".
        gap: Largest difference between the labelled shares of two arms.
        low, high: Always-valid interval of that difference, from those of the arms; wider than
            the test, so that it may still hold 0 when the test rejects.
        n, labelled: Requests and labels of the arms that were compared.
        alpha: Error rate of the intervals, over all looks and arms together.
        note: What a reader must know; names arms without a plan, or a split that is off.
    """

    p_value: float
    log_p: float
    p_chi2: float
    log_p_chi2: float
    log_e: float
    gap: float
    low: float
    high: float
    n: int
    labelled: int
    arms: tuple[LabelRate, ...]
    alpha: float
    note: str = ""

    @property
    def mismatch(self) -> bool:
        """Whether equal label rates are rejected at alpha, however often they were looked at."""
        return self.log_p <= math.log(self.alpha)


def missing_labels(
    served: Mapping[str, int],
    labelled: Mapping[str, int],
    weights: Mapping[str, float],
    *,
    strength: float = STRENGTH,
    alpha: float = ALPHA,
) -> LabelRatio:
    """
    Test whether labels arrive equally often in every arm.

    Count only requests old enough to have their label (see `maturity`): else the arm that
    grew last seems to lose labels. A sample ratio mismatch does not raise an alarm here.
    Within one phase: the split must not change.

    Args:
        served: Requests per arm.
        labelled: Those among them that have a label.
        weights: Planned weights in any unit; they only sharpen the always-valid test.
        strength: As of `sample_ratio`.
        alpha: Error rate of the intervals, over all looks and arms together.

    Raises:
        ValueError: As `sample_ratio`; or if an arm has more labels than requests.

    Source:
        Wasserman, Ramdas, Balakrishnan (2020), PNAS 117:16880-16890: likelihood of the arms
        among labelled and among unlabelled requests under a Dirichlet mixture each, over the
        largest likelihood of a common split. One look: agrees with `scipy.stats.chi2_contingency`.

    Example:
        >>> plan = {"champion": 1, "challenger": 1}
        >>> seen = missing_labels({"champion": 9_950, "challenger": 10_050},
        ...                       {"champion": 8_955, "challenger": 8_744}, plan)
        >>> f"{seen.gap:.3f} [{seen.low:.3f}, {seen.high:.3f}] p = {seen.p_value:.1e}, one look {seen.p_chi2:.1e}"
        '0.030 [-0.002, 0.062] p = 1.3e-06, one look 3.2e-11'
    """
    split = sample_ratio(served, weights, strength=strength, alpha=alpha)
    _check(served, labelled)
    arms = [arm for arm, weight in weights.items() if weight > 0 and served.get(arm, 0)]
    table = np.array([[labelled.get(a, 0), served[a] - labelled.get(a, 0)] for a in arms], dtype=np.float64).reshape(
        -1, 2
    )
    rates = tuple(_rate(arm, row, alpha / len(arms)) for arm, row in zip(arms, table, strict=True))
    prior = np.array([weights[arm] for arm in arms], dtype=np.float64)
    log_e = _log_e(table, strength * prior / max(prior.sum(), 1e-300)) if len(arms) > 1 else 0.0
    log_p_chi2 = _log_chi2(table)
    gap, low, high = _gap(rates)
    return LabelRatio(
        p_value=probability(-log_e),
        log_p=min(0.0, -log_e),
        p_chi2=probability(log_p_chi2),
        log_p_chi2=log_p_chi2,
        log_e=log_e,
        gap=gap,
        low=low,
        high=high,
        n=int(table.sum()),
        labelled=int(table[:, 0].sum()),
        arms=rates,
        alpha=alpha,
        note="; ".join(part for part in (_note(table), split.note, _split_note(split.mismatch)) if part),
    )


def _log_e(table: Floats, prior: Floats) -> float:
    columns = [column for column in table.T if column.sum()]
    mixed = sum(log_mixture(column, prior) for column in columns)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(mixed + np.sum(special.kl_div(table, expected)))


def _log_chi2(table: Floats) -> float:
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / max(table.sum(), 1.0)
    if table.shape[0] < 2 or not np.all(expected > 0):
        return 0.0
    return log_chi2(float(np.sum((table - expected) ** 2 / expected)), table.shape[0] - 1)


def _rate(arm: str, row: Floats, alpha: float) -> LabelRate:
    labelled, n = float(row[0]), float(row.sum())
    low, high = share_interval(labelled, n, log_mixture(row, np.ones(2)), alpha)
    return LabelRate(arm=arm, served=int(n), labelled=int(labelled), rate=labelled / n, low=low, high=high)


def _gap(rates: tuple[LabelRate, ...]) -> tuple[float, float, float]:
    if len(rates) < 2:
        return 0.0, -math.inf, math.inf
    most, least = max(rates, key=lambda one: one.rate), min(rates, key=lambda one: one.rate)
    return most.rate - least.rate, most.low - least.high, most.high - least.low


def _note(table: Floats) -> str:
    if table.shape[0] < 2:
        return "fewer than two arms served requests: nothing to compare"
    missing = int(table[:, 1].sum())
    if missing == 0:
        return "every request has its label"
    return "no label yet" if missing == int(table.sum()) else ""


def _split_note(mismatch: bool) -> str:
    return "the split itself does not deal as planned: see the sample ratio" if mismatch else ""


def _check(served: Mapping[str, int], labelled: Mapping[str, int]) -> None:
    checks.counts(**{f"labels of {arm}": count for arm, count in labelled.items()})
    bad = [f"{arm}: {count} of {served.get(arm, 0)}" for arm, count in labelled.items() if count > served.get(arm, 0)]
    if bad:
        raise ValueError(
            f"labelled: {len(bad)} of {len(labelled)} arms have more labels than requests ({', '.join(bad)}); "
            "count each request once"
        )
