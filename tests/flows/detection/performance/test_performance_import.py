import subprocess
import sys

HEAVY = ("scipy.stats", "sklearn", "xgboost", "statsmodels", "prefect", "pandas")
CODE = f"import sys, flows.detection.performance.look; print([n for n in {HEAVY} if n in sys.modules])"


def test_importing_it_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"
