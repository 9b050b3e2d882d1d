"""
How far each kind of signal can be trusted, learned from simulated histories whose harm is known.

Made by `python benchmarks/fusion_calibration.py --fit`; docs/detection/fusion.md has the figures, on
histories of other generators, too.
"""

VERSION = 1
DIRECTNESS = ("concept", "performance", "estimate", "data")
"""Kinds that speak of loss, most direct first: what a refit wins back, the loss, its estimate, the inputs."""

SPIKE, SLAB = 0.6, 0.156
"""Share of looks without any harm; standard deviation of log(1 + harm), half normal, in the others."""

METHODS: dict[str, tuple[float, float]] = {
    "concept": (1.004, 0.0163),
    "performance": (1.198, 0.0921),
    "estimate": (1.25, 0.2276),
    "data": (1.123, 0.1678),
}
"""Kind: slope from log(1 + what was seen) to log(1 + harm), and standard deviation of the method itself."""

CONFIDENCE: dict[str, tuple[float, float]] = {"labels": (-0.271, 0.791), "unlabelled": (0.091, 1.109)}
"""Basis: intercept and slope of the log odds of harm that is worth it, over those of the posterior."""

SILENT = 0.25
"""Probability of harm where neither labels nor inputs show anything."""

BASE_RATE = 0.264
"""Share of simulated windows with harm worth a retraining."""
"""Each of these belongs to all the others: they are made together."""
