"""Learn from simulated windows how far each kind of signal can be trusted."""

import numpy as np
from scipy import optimize, special

from deciding.windows import Seen
from flows.detection.fusion.calibration import DIRECTNESS

WORTH = 0.05
BASES = ("labels", "unlabelled", "silent")


def readings(windows: list[Seen]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log(1 + seen) and its error, of shape (windows, kinds) with NaN where a kind is silent; and the true one."""
    seen, error = (np.full((len(windows), len(DIRECTNESS)), np.nan) for _ in range(2))
    for row, window in enumerate(windows):
        for signal in window.evidence.signals:
            column = DIRECTNESS.index(signal.kind)
            seen[row, column] = np.log1p(max(signal.harm, -0.9))
            error[row, column] = signal.harm_error / (1 + max(signal.harm, 0))
    return seen, error, np.log1p(np.array([window.harm for window in windows]))


def posterior(theta: np.ndarray, seen: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `flows.detection.fusion.harm.fused`, for many windows with one signal of each kind at once."""
    prior, slopes, spreads = _parameters(theta)
    known = ~np.isnan(seen)
    precision = np.where(known, 1 / (spreads**2 + (slopes * np.nan_to_num(error)) ** 2), 0.0)
    total = prior**-2 + np.cumsum(precision, axis=1)
    mean = np.cumsum(precision * slopes * np.nan_to_num(seen), axis=1) / total
    mean = np.where(np.maximum.accumulate(known, axis=1), mean, -np.inf)
    best = mean.argmax(axis=1)
    rows = np.arange(len(seen))
    return mean[rows, best], 1 / np.sqrt(total[rows, best])


def fit(windows: list[Seen]) -> np.ndarray:
    """Largest likelihood of the true harm, with tails of a t distribution with 4 degrees of freedom."""
    seen, error, true = readings(windows)
    use = ~np.isnan(seen).all(axis=1)
    seen, error, true = seen[use], error[use], true[use]
    cases = [(seen, error)]
    for hidden in (["concept"], ["concept", "performance"]):  # not every look has every signal
        fewer = seen.copy()
        fewer[:, [DIRECTNESS.index(kind) for kind in hidden]] = np.nan
        cases.append((fewer, error))

    def misfit(theta: np.ndarray) -> float:
        total = 0.01 * float((theta**2).sum())
        for weight, (what, how) in zip((1.0, 0.3, 0.3), cases, strict=True):
            known = ~np.isnan(what).all(axis=1)
            mean, spread = posterior(theta, what[known], how[known])
            total += weight * float((np.log(spread) + 2.5 * np.log1p(((true[known] - mean) / spread) ** 2 / 4)).sum())
        return total

    start = np.log([0.3, 1.0, 0.5, 0.1, 0.5, 0.05, 0.2, 0.3, 0.2])
    return optimize.minimize(misfit, start, method="Nelder-Mead", options={"maxiter": 3000, "maxfev": 3000}).x


def confidences(theta: np.ndarray, windows: list[Seen]) -> dict[str, tuple[float, float] | float]:
    """Logistic calibration per basis, and the share of harm in what is silent."""
    seen, error, true = readings(windows)
    warranted = true >= np.log1p(WORTH)
    found: dict[str, tuple[float, float] | float] = {}
    bases = basis_of(seen)
    for basis in BASES[:2]:
        use = bases == basis
        mean, spread = posterior(theta, seen[use], error[use])
        found[basis] = _platt(np.clip((mean - np.log1p(WORTH)) / spread, -8, 8), warranted[use])
    silent = warranted[bases == "silent"]
    found["silent"] = float((silent.sum() + 1) / (silent.size + 4))
    found["base"] = float(warranted.mean())
    return found


def basis_of(seen: np.ndarray) -> np.ndarray:
    known = ~np.isnan(seen)
    return np.where(known[:, :2].any(axis=1), "labels", np.where(known.any(axis=1), "unlabelled", "silent"))


def _parameters(theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    values = np.exp(theta)
    return float(values[0]), values[1:5], values[5:]


def _platt(far: np.ndarray, warranted: np.ndarray) -> tuple[float, float]:
    def misfit(pair: np.ndarray) -> float:
        log_odds = pair[0] + np.exp(pair[1]) * far
        return float((np.logaddexp(0, log_odds) - warranted * log_odds).sum() + 0.05 * (pair**2).sum())

    found = optimize.minimize(misfit, np.array([0.0, 0.5])).x
    return float(found[0]), float(np.exp(found[1]))


def calibration_error(stated: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width."""
    which = np.minimum((stated * bins).astype(int), bins - 1)
    return float(
        sum(abs(stated[which == b].mean() - right[which == b].mean()) * (which == b).mean() for b in np.unique(which))
    )


def log_odds(share: float) -> float:
    return float(special.logit(share))
