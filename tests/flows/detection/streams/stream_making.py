"""Streams of errors whose truth is known."""

import numpy as np


def rates(level, *, rows=10_000, then=None, at=5_000):
    """A constant chance of an error, or one that steps to *then* at a row."""
    return np.where(np.arange(rows) < at, level, level if then is None else then)


def wave(rows=10_000, *, period=1_000):
    return 0.15 + 0.05 * np.sin(2 * np.pi * np.arange(rows) / period)


def errors(chances, dice, *, copied=0.0):
    """Errors 0 and 1; each repeats the one before with chance *copied*, its correlation at lag 1."""
    own = dice.random(len(chances)) >= copied
    own[0] = True
    last = np.maximum.accumulate(np.where(own, np.arange(len(chances)), 0))
    return (dice.random(len(chances)) < chances)[last].astype(float)
