"""MLServer and `mlflow models serve` as real processes, each from a virtual environment of its own: helpers."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from router_live import free_ports

TRAIN = """
import json, sys, numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
dice = np.random.default_rng(0)
frame = pd.DataFrame({"x": dice.normal(size=400), "z": dice.normal(size=400), "c": dice.choice(["a", "b"], 400)})
label = (frame.x + (frame.c == "a") + dice.normal(size=400) > 0).astype(int)
matrix = frame[["x", "z"]].to_numpy()
plain = make_pipeline(SimpleImputer(), LogisticRegression()).fit(matrix, label)
columns = ColumnTransformer([("n", SimpleImputer(), ["x", "z"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["c"])])
mixed = make_pipeline(columns, LogisticRegression()).fit(frame, label)
head = pd.DataFrame({"x": [1.5, -0.5, np.nan], "z": [0.1, np.nan, 2.0], "c": ["a", "b", "b"]})
truth = {
    "plain": plain.predict_proba(head[["x", "z"]].to_numpy())[:, 1].tolist(),
    "mixed": mixed.predict_proba(head)[:, 1].tolist(),
    "class": mixed.predict(head).tolist(),
}
"""
ROWS = [{"x": 1.5, "z": 0.1, "c": "a"}, {"x": -0.5, "z": None, "c": "b"}, {"x": None, "z": 2.0, "c": "b"}]


def environment(variable: str) -> Path:
    """The virtual environment that a variable names; without it the test is skipped."""
    where = os.environ.get(variable)
    if not where:
        pytest.skip(f"{variable} names no virtual environment; see docs/router/remote.md")
    return Path(where)


def train(python: Path, folder: Path, script: str) -> dict[str, list[float]]:
    """Fit and save with the libraries of the server's own environment; returns what the pipelines say of `ROWS`."""
    code = TRAIN + script + '\nprint("\\n" + json.dumps(truth))'
    done = subprocess.run(
        [python, "-c", code], cwd=folder, env=_environ(), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def running(command: list[str], folder: Path, health: str, **environ: str) -> Iterator[None]:
    """A server with all its children, until it answers; ended with all of them."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=_environ() | environ, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(process, health, folder / "server.log")
        yield
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                break
            time.sleep(1)
        process.wait(20)


def ports(count: int) -> list[int]:
    return free_ports(count)


def _wait(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            if httpx.get(health, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    raise AssertionError(log.read_text()[-2000:])


def _environ() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
    return kept | {"OMP_NUM_THREADS": "1", "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
