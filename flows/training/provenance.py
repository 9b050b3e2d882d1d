"""By what a version was made: code, libraries, machine, and the part of the configuration that shapes it."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import msgspec

from flows.config.model import ModelConfig

LIBRARIES = ("xgboost", "lightgbm", "scikit-learn", "numpy", "numba", "polars", "optuna", "skops")
_ROOT = Path(__file__).parents[2]
_THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OPENBLAS_NUM_THREADS")
_SHAPING = ("task", "target", "features", "data", "training")


def installed(name: str) -> str:
    """Version of a package; empty if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def dependencies() -> dict[str, str]:
    """Versions of the libraries that decide what a fit gives; those that are there."""
    return {name: number for name in LIBRARIES if (number := installed(name))}


@cache
def code_version() -> str:
    """
    Version of Understudy; in a checkout with the commit, and whether files were changed since.

    Example: "0.1.0+48428e8c1f02.changed".
    """
    released = installed("understudy")
    if not (_ROOT / ".git").exists():
        return released
    commit, changed = _git("rev-parse", "--short=12", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return f"{released}+{commit}{'.changed' if changed else ''}" if commit else released


def environment(config: ModelConfig, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Where it is trained: interpreter, system, processors, and who may use how many threads."""
    threads = {name: variables[name] for name in _THREADS if name in variables}
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "threads": str(config.training.threads),
        "device": config.training.device,
        **threads,
    }


def config_digest(config: ModelConfig) -> str:
    """Sha256, in hexadecimal, of what the configuration says about data, features and training."""
    said = config.model_dump(mode="json", include={*_SHAPING})
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def _git(*words: str) -> str:
    try:
        command = ["git", "-C", str(_ROOT), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=5).stdout.strip()  # noqa: S603 (constants)
    except (OSError, subprocess.SubprocessError):
        return ""
