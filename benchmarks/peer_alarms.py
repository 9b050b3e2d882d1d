"""One peer, in an environment of its own: says which features of each window it alarms; see drift_alarms.py."""

import importlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Alarms = Callable[[Any], list[str]]


def evidently(reference: Any, numeric: list[str], categorical: list[str]) -> Alarms:
    """The preset's verdict per column; p-values alarm when small, distances when large."""
    made = importlib.import_module("evidently")
    preset = importlib.import_module("evidently.presets").DataDriftPreset
    shape = made.DataDefinition(numerical_columns=numeric, categorical_columns=categorical)

    def alarms(current: Any) -> list[str]:
        sides = (made.Dataset.from_pandas(side, data_definition=shape) for side in (current, reference))
        whole, *columns = made.Report([preset()]).run(*sides).dict()["metrics"]
        found = [column["config"]["column"] for column in columns if _fires(column)]
        assert len(columns) == len(numeric) + len(categorical)
        assert len(found) == whole["value"]["count"]  # its own count of drifted columns
        return found

    return alarms


def _fires(column: Any) -> bool:
    value, limit = float(column["value"]), column["config"]["threshold"]
    return bool(value < limit if "p_value" in column["config"]["method"] else value >= limit)


def nannyml(reference: Any, numeric: list[str], categorical: list[str], rows: int) -> Alarms:
    """Jensen-Shannon beyond three standard deviations of the reference's chunks, each as large as a window."""
    calculator = importlib.import_module("nannyml").UnivariateDriftCalculator
    names = [*numeric, *categorical]
    fitted = calculator(column_names=names, treat_as_categorical=categorical, chunk_size=rows).fit(reference)

    def alarms(current: Any) -> list[str]:
        found = fitted.calculate(current).filter(period="analysis").to_df()
        return [name for name in names if bool(found[(name, "jensen_shannon", "alert")].any())]

    return alarms


def main() -> None:
    warnings.simplefilter("ignore")
    system, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    numeric, categorical = json.loads(sys.argv[4]), json.loads(sys.argv[5])
    read = importlib.import_module("pandas").read_parquet
    reference, rows = read(folder / "reference.parquet"), len(read(folder / "calm-0.parquet"))
    made = (numeric, categorical)
    alarms = nannyml(reference, *made, rows) if system == "nannyml" else evidently(reference, *made)
    found: dict[str, Any] = {"calm": [], "shifted": [], "seconds": []}
    for kind in ("calm", "shifted"):
        for number in range(count):
            current = read(folder / f"{kind}-{number}.parquet")
            begun = time.perf_counter()
            found[kind].append(alarms(current))
            found["seconds"].append(time.perf_counter() - begun)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
