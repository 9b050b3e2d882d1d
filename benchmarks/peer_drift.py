"""One peer, in an environment of its own: compares two Parquet files, and says what it cost; see drift_speed.py."""

import json
import sys
import time
from pathlib import Path


def evidently(reference, current, numeric, categorical):
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    shape = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)

    def compare():
        sides = (Dataset.from_pandas(side, data_definition=shape) for side in (current, reference))
        return Report([DataDriftPreset()]).run(*sides).dict()

    return compare


def nannyml(reference, current, numeric, categorical):
    from nannyml import UnivariateDriftCalculator

    def compare():
        names = [*numeric, *categorical]
        made = UnivariateDriftCalculator(column_names=names, treat_as_categorical=categorical)
        return made.fit(reference).calculate(current).to_df()

    return compare


def scipy(reference, current, numeric, _categorical):
    from scipy.stats import ks_2samp

    return lambda: [ks_2samp(reference[name].to_numpy(), current[name].to_numpy(), method="asymp") for name in numeric]


def read(system, path):
    if system == "scipy":  # our own environment, without pyarrow
        import polars

        return polars.read_parquet(path)
    import pandas

    return pandas.read_parquet(path)


def peak():
    """Most memory so far, in MB; of this program, where `getrusage` would count its parent before the start."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def main():
    system, reference, current, numeric, categorical = sys.argv[1:]
    tables = [read(system, path) for path in (reference, current)]
    compare = globals()[system](*tables, json.loads(numeric), json.loads(categorical))
    before, wall, cpu = peak(), time.perf_counter(), time.process_time()
    compare()
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
                "rss": peak(),
                "extra": peak() - before,
            }
        )
    )


if __name__ == "__main__":
    main()
