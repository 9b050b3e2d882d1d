"""Scorers that do what a row asks for, loaded in a process of their own: helpers."""

import ctypes
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from registry.records.version import ModelVersion
from registry.upstream.failed import UpstreamFailed


class Obedient:
    """Says x, unless a row asks for trouble."""

    def score(self, rows: Any) -> Any:
        for row in rows:
            _do(row.get("do"))
        return np.array([row["x"] for row in rows], dtype=np.float64)

    def predictions(self, scores: Any) -> list[int]:
        return [int(score >= 0.5) for score in scores]


_SLEEP_S = {"hang": 600.0, "slow": 0.02}


def _do(what: str | None) -> None:
    if what in _SLEEP_S:
        time.sleep(_SLEEP_S[what])
    elif what == "exit":
        os._exit(3)
    elif what == "segfault":
        ctypes.string_at(0)
    elif what == "eat":
        hoard = []
        while True:
            hoard.append(bytearray(os.urandom(1 << 20)))
    elif what == "raise":
        raise RuntimeError("no such tree")
    elif what == "away":
        raise UpstreamFailed("unreachable", "nobody listens there")


def obedient(models_dir: Path) -> Any:
    return lambda version: Obedient()


def broken(models_dir: Path) -> Any:
    def load(version: ModelVersion) -> Any:
        raise ValueError("no such artifact")

    return load


def stuck(models_dir: Path) -> Any:
    return lambda version: time.sleep(600)
