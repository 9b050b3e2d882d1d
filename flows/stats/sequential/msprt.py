"""The mixture sequential probability ratio test with a normal prior, as a cross-check of the confidence sequences."""

import math

from flows.stats.checks import counts, share
from flows.stats.results import AlwaysValid, probability


def msprt(estimate: float, error: float, *, prior: float, n: int = 0, alpha: float = 0.05) -> AlwaysValid:
    """
    Test of a difference that is normal with known standard error.

    With prior = rho * sigma it is the asymptotic confidence sequence of the same estimate.

    Args:
        estimate: Difference, challenger minus champion.
        error: Its standard error at this look; the prior must stay the same over all looks.
        prior: Standard deviation of the effects that are expected.
        n: What the estimate rests on; only passed on.
        alpha: Error rate over all looks together.

    Returns:
        Interval, always-valid p-value and e-value.

    Raises:
        ValueError: If the standard error or prior is not a positive number, or the estimate not a number.

    Source:
        Johari, Koomen, Pekelis, Walsh (2022), Oper. Res. 70:1806-1821 (normal mixture).

    Example:
        >>> seen = msprt(0.2, 0.0632455532, prior=0.178169, n=500)
        >>> f"[{seen.low:.5f}, {seen.high:.5f}] p = {seen.p_value:.4f}"
        '[0.00804, 0.39196] p = 0.0352'
    """
    share("alpha", alpha)
    for name, value in (("error", error), ("prior", prior)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}; a standard deviation is positive")
    if not math.isfinite(estimate):
        raise ValueError(f"estimate is {estimate}; leave out looks without one")
    counts(n=n)
    v, w = error * error, prior * prior
    log_e = 0.5 * math.log(v / (v + w)) + w * estimate * estimate / (2 * v * (v + w))
    half = math.sqrt(v * (v + w) / w * (math.log((v + w) / v) - 2 * math.log(alpha)))
    return AlwaysValid(
        method="mSPRT (normal mixture)",
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        p_value=probability(-log_e),
        log_p=min(0.0, -log_e),
        log_e=log_e,
        n=n,
    )
