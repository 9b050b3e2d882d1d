"""
How far each kind of signal can be trusted, learned from simulated histories whose harm is known.

Made by `python benchmarks/fusion_calibration.py --fit`; docs/detection/fusion.md has the figures, on
histories of other generators, too.
"""

VERSION = 1
DIRECTNESS = ("concept", "performance", "estimate", "data")
"""Kinds that speak of loss, most direct first: what a refit wins back, the loss, its estimate, the inputs."""

SPIKE, SLAB = 0.6, 0.3
"""Share of looks without any harm; standard deviation of log(1 + harm), half normal, in the others."""

METHODS: dict[str, tuple[float, float]] = {
    "concept": (1.0, 0.05),
    "performance": (0.5, 0.2),
    "estimate": (0.1, 0.3),
    "data": (1.0, 0.3),
}
"""Kind: slope from log(1 + what was seen) to log(1 + harm), and standard deviation of the method itself."""

CONFIDENCE: dict[str, tuple[float, float]] = {"labels": (0.0, 1.0), "unlabelled": (0.0, 1.0)}
"""Basis: intercept and slope of the log odds of harm that is worth it, over those of the posterior."""

SILENT = 0.2
"""Probability of harm where neither labels nor inputs show anything."""

BASE_RATE = 0.35
"""Share of simulated windows with harm worth a retraining."""
"""Each of these belongs to all the others: they are made together."""
