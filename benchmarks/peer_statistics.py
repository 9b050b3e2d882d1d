"""
Other engines, in their own environment; driven by statistics_speed.py through stdin and stdout.

Each line in is a JSON request {"do", "system", ...}, each line out its JSON answer.
"""

import contextlib
import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
import polars as pl
import spotify_confidence
import tea_tasting as tt
from gbstats.frequentist.tests import FrequentistConfig, SequentialConfig, SequentialTwoSidedTTest, TwoSidedTTest
from gbstats.models.statistics import SampleMeanStatistic
from tea_tasting.aggr import Aggregates

warnings.simplefilter("ignore")
np.seterr(all="ignore")


def gbstats(arms):
    """Test and interval, absolute and relative, and the always-valid interval."""
    found = []
    for (n1, mean1, m1), (n2, mean2, m2) in zip(*arms, strict=True):
        a, b = (
            SampleMeanStatistic(n=n, sum=n * x, sum_squares=m + n * x * x)
            for n, x, m in ((n1, mean1, m1), (n2, mean2, m2))
        )
        plain = TwoSidedTTest(a, b, FrequentistConfig(difference_type="absolute")).compute_result()
        lift = TwoSidedTTest(a, b, FrequentistConfig(difference_type="relative")).compute_result()
        always = SequentialTwoSidedTTest(a, b, SequentialConfig(difference_type="absolute")).compute_result()
        found.append((plain.p_value, *plain.ci, *lift.ci, *always.ci))
    return found


def spotify(arms):
    """All comparisons as metrics of one table, as its own advice; no always-valid interval."""
    rows = [
        {"arm": arm, "metric": i, "n": n, "sum": n * mean, "squares": m2 + n * mean * mean}
        for arm, samples in zip(("champion", "challenger"), arms, strict=True)
        for i, (n, mean, m2) in enumerate(samples)
    ]
    test = spotify_confidence.ZTest(
        pd.DataFrame(rows),
        numerator_column="sum",
        numerator_sum_squares_column="squares",
        denominator_column="n",
        categorical_group_columns="arm",
        metric_column="metric",
        correction_method="bonferroni",
    )
    plain, lift = (
        test.difference(level_1="champion", level_2="challenger", groupby="metric", absolute=absolute)
        for absolute in (True, False)
    )
    columns = [plain["p-value"], plain["ci_lower"], plain["ci_upper"], lift["ci_lower"], lift["ci_upper"]]
    return list(zip(*columns, strict=True))


def tea_tasting(arms):
    """Test and interval, absolute and relative; no always-valid interval."""
    metric, found = tt.Mean("x"), []
    for (n1, mean1, m1), (n2, mean2, m2) in zip(*arms, strict=True):
        a, b = (
            Aggregates(count_=n, mean_={"x": x}, var_={"x": m / (n - 1)}, cov_={})
            for n, x, m in ((n1, mean1, m1), (n2, mean2, m2))
        )
        r = metric.analyze_aggregates(a, b)
        found.append(
            (
                r.pvalue,
                r.effect_size_ci_lower,
                r.effect_size_ci_upper,
                r.rel_effect_size_ci_lower,
                r.rel_effect_size_ci_upper,
            )
        )
    return found


ENGINES = {"gbstats": gbstats, "spotify-confidence": spotify, "tea-tasting": tea_tasting}


def raw(system, frame, metrics):
    """From rows: tea-tasting has a way of its own; the others take sums, which pandas makes."""
    if system == "tea-tasting":
        experiment = tt.Experiment({name: tt.Mean(name) for name in metrics}, variant="variant")
        return len(experiment.analyze(frame, control="champion"))
    table = frame.to_pandas()
    groups = table.groupby("variant")[metrics]
    counts, means, variances = groups.count(), groups.mean(), groups.var()
    arms = [
        [
            (int(counts.loc[arm, m]), means.loc[arm, m], variances.loc[arm, m] * (counts.loc[arm, m] - 1))
            for m in metrics
        ]
        for arm in ("champion", "challenger")
    ]
    return len(ENGINES[system](arms))


def main():
    frame, metrics = None, []
    for line in sys.stdin:
        asked = json.loads(line)
        with contextlib.redirect_stdout(sys.stderr):
            if asked["do"] == "load":
                frame, metrics = pl.read_parquet(asked["path"]), asked["metrics"]
                answer = {"ok": True}
            elif asked["do"] == "many":
                start = time.perf_counter()
                found = ENGINES[asked["system"]](asked["arms"])
                answer = {"seconds": time.perf_counter() - start, "found": [[float(x) for x in row] for row in found]}
            else:
                start = time.perf_counter()
                raw(asked["system"], frame, metrics)
                answer = {"seconds": time.perf_counter() - start}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
