import subprocess
import sys
from pathlib import Path

import flows.detection.univariate

SCRIPT = """
import sys
import numpy, polars
{imports}
from flows.detection.univariate.compare import compare
frame = polars.DataFrame({{"x": numpy.linspace(0, 1, 5000), "c": ["a", "b"] * 2500}})
shifted = frame.with_columns(polars.col("x") + 0.04)
found = compare(frame, shifted)
assert not any(column.error for column in found), found
heavy = {{"pandas", "sklearn", "pydantic", "prefect", "numba", "mlflow", "scipy.stats", "scipy.optimize"}}
print(sorted(heavy & set(sys.modules)))
"""


def test_importing_and_running_everything_loads_nothing_heavy():
    folder = Path(flows.detection.univariate.__file__).parent
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    imports = "\n".join(f"import flows.detection.univariate.{name}" for name in names)

    done = subprocess.run([sys.executable, "-c", SCRIPT.format(imports=imports)], capture_output=True, text=True)

    assert (done.stdout.strip(), done.stderr) == ("[]", "")
