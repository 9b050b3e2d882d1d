"""Learn from simulated windows how far each kind of signal can be trusted."""

import numpy as np
from scipy import optimize, special

from deciding.windows import Seen
from flows.detection.fusion.calibration import DIRECTNESS

WORTH = 0.05
LEVELS = (0.03, 0.05, 0.1, 0.3)  # harms whose probabilities are to be right
BASES = ("labels", "unlabelled", "silent")
LEAST = 0.01  # of the baseline loss: what is less is the luck of the refit, and counts as no harm


def true_harm(windows: list[Seen]) -> np.ndarray:
    harm = np.array([window.harm for window in windows])
    return np.where(harm < LEAST, 0.0, harm)


def readings(windows: list[Seen]) -> tuple[np.ndarray, np.ndarray]:
    """log(1 + seen) and its error, of shape (windows, kinds) with NaN where a kind is silent."""
    seen, error = (np.full((len(windows), len(DIRECTNESS)), np.nan) for _ in range(2))
    for row, window in enumerate(windows):
        for signal in window.evidence.signals:
            column = DIRECTNESS.index(signal.kind)
            seen[row, column] = np.log1p(max(signal.harm, -0.9))
            error[row, column] = signal.harm_error / (1 + max(signal.harm, 0))
    return seen, error


class Posteriors:
    """As `flows.detection.fusion.harm.fused`, for many windows with one signal of each kind at once."""

    def __init__(self, theta: np.ndarray, seen: np.ndarray, error: np.ndarray) -> None:
        spike, slab, slopes, spreads = parameters(theta)
        known = ~np.isnan(seen)
        precision = np.where(known, 1 / (spreads**2 + (slopes * np.nan_to_num(error)) ** 2), 0.0)
        total = np.cumsum(precision, axis=1) + 1e-12
        value = np.cumsum(precision * slopes * np.nan_to_num(seen), axis=1) / total
        self._shrink(value, 1 / np.sqrt(total), spike, slab)
        left = np.log(np.minimum(0.5 / np.maximum(1 - self.nothing, 1e-300), 1))
        upper = special.log_ndtr(self.centre / self.spread) + left
        self.median = np.where(self.nothing < 0.5, self.centre - self.spread * special.ndtri_exp(upper), 0.0)
        order = np.where(np.maximum.accumulate(known, axis=1), self.median + 1e-9 * self.mean, -1.0)
        best, rows = order.argmax(axis=1), np.arange(len(seen))
        self.median, self.nothing = np.maximum(self.median[rows, best], 0), self.nothing[rows, best]
        self.centre, self.spread = self.centre[rows, best], self.spread[rows, best]

    def _shrink(self, value: np.ndarray, error: np.ndarray, spike: float, slab: float) -> None:
        total = error**2 + slab**2
        self.centre, self.spread = value * slab**2 / total, error * slab / np.sqrt(total)
        z = self.centre / self.spread
        log_spike = np.log(spike) - (value / error) ** 2 / 2 - np.log(error)
        log_slab = np.log(2 * (1 - spike)) - value**2 / total / 2 - np.log(total) / 2 + special.log_ndtr(z)
        self.nothing = special.expit(log_spike - log_slab)
        tilt = np.exp(-z * z / 2 - np.log(2 * np.pi) / 2 - special.log_ndtr(z))
        self.mean = (1 - self.nothing) * np.maximum(self.centre + self.spread * tilt, 0)

    def above(self, limit: float) -> np.ndarray:
        z = self.centre / self.spread
        beyond = special.log_ndtr(z - limit / self.spread) - special.log_ndtr(z)
        return (1 - self.nothing) * np.exp(np.minimum(beyond, 0))


def fit(windows: list[Seen]) -> np.ndarray:
    """Least sum of Brier scores of "the harm is beyond ...", also where the most direct kinds are missing."""
    (seen, error), true = readings(windows), true_harm(windows)
    cases = []
    for hidden in ([], ["concept"], ["concept", "performance"]):
        what = seen.copy()
        what[:, [DIRECTNESS.index(kind) for kind in hidden]] = np.nan
        known = ~np.isnan(what).all(axis=1)
        cases.append((what[known], error[known], true[known]))

    def misfit(theta: np.ndarray) -> float:
        total = 1e-4 * float(((theta - start) ** 2).sum())
        for weight, (what, how, harm) in zip((1.0, 0.6, 0.3), cases, strict=True):
            found = Posteriors(theta, what, how)
            scores = [np.mean((found.above(np.log1p(level)) - (harm >= level)) ** 2) for level in LEVELS]
            total += weight * float(np.sum(scores))
        return total

    start = np.r_[0.4, np.log([0.4, 1.0, 0.8, 0.2, 0.5, 0.01, 0.1, 0.2, 0.2])]
    options = {"maxiter": 4000, "maxfev": 4000}
    first = optimize.minimize(misfit, start, method="Nelder-Mead", options=options).x
    return optimize.minimize(misfit, first, method="Nelder-Mead", options=options).x


def parameters(theta: np.ndarray) -> tuple[float, float, np.ndarray, np.ndarray]:
    """
    Spike, slab, slopes and spreads; slopes at most 1.25, spreads at least .003.

    The spike is .6 at least, so that a reading that says nothing means no harm.
    """
    spike, values = max(float(special.expit(theta[0])), 0.6), np.exp(theta[1:])
    return spike, float(values[0]), np.minimum(values[1:5], 1.25), np.maximum(values[5:], 0.003)


def basis_of(seen: np.ndarray) -> np.ndarray:
    known = ~np.isnan(seen)
    return np.where(known[:, :2].any(axis=1), "labels", np.where(known.any(axis=1), "unlabelled", "silent"))


def confidences(theta: np.ndarray, windows: list[Seen]) -> dict[str, tuple[float, float]]:
    """Intercept and slope per basis; of "silent" and "base", the share of harm that is worth it, and 0."""
    (seen, error), warranted = readings(windows), true_harm(windows) >= WORTH
    bases, chance = basis_of(seen), Posteriors(theta, seen, error).above(np.log1p(WORTH))
    log_odds = special.logit(np.clip(chance, 1e-6, 1 - 1e-6))
    found = {basis: _platt(log_odds[bases == basis], warranted[bases == basis]) for basis in BASES[:2]}
    silent = warranted[bases == "silent"]
    return found | {
        "silent": (float((silent.sum() + 1) / (silent.size + 4)), 0.0),
        "base": (float(warranted.mean()), 0.0),
    }


def _platt(log_odds: np.ndarray, warranted: np.ndarray) -> tuple[float, float]:
    def misfit(pair: np.ndarray) -> float:
        moved = pair[0] + np.exp(pair[1]) * log_odds
        return float((np.logaddexp(0, moved) - warranted * moved).sum() + 0.1 * (pair**2).sum())

    found = optimize.minimize(misfit, np.array([0.0, 0.0]), method="Nelder-Mead").x
    return float(found[0]), float(np.exp(found[1]))


def calibration_error(stated: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width."""
    which = np.minimum((stated * bins).astype(int), bins - 1)
    return float(
        sum(abs(stated[which == b].mean() - right[which == b].mean()) * (which == b).mean() for b in np.unique(which))
    )
