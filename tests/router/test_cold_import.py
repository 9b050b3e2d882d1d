"""The router starts, and serves, without training code."""

import os
import subprocess
import sys

import pytest

HEAVY = ("sklearn", "pandas", "prefect", "optuna", "polars", "sqlalchemy", "matplotlib", "mlflow", "skops")
HEAVY += ("scipy.stats", "scipy.sparse")  # numba asks scipy itself, without its parts, for its version
SERVE = """
from registry.home import Settings
from router.service import build
app = build(Settings())
assert list(app._snapshots) == ["m"], app._worker.watcher.troubles
"""


def loaded_by(code, **environ):
    code += f"\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, **environ},
    )
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["router.service", "router.app", "router.shadow"])
def test_importing_the_router_loads_no_training_code(module):
    assert loaded_by(f"import {module}") == "[]"


def test_a_worker_reads_its_plans_and_models_without_it_too(settings, registry):
    # Of a linear model: xgboost, where one is served, imports scikit-learn and pandas itself if they are installed.
    assert loaded_by(SERVE, UNDERSTUDY_HOME=str(settings.home)) == "[]"
