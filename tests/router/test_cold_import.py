"""The router starts without training code."""

import subprocess
import sys

import pytest

HEAVY = ("sklearn", "pandas", "prefect", "optuna", "polars", "sqlalchemy", "matplotlib", "mlflow", "skops", "scipy")


@pytest.mark.parametrize("module", ["router.service", "router.app", "router.shadow"])
def test_importing_the_router_loads_no_training_code(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"
