"""Every call of the reference page works as it stands."""

import ast
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from flows.stats.bayes.beliefs import rate_belief
from flows.stats.moments import Moments
from flows.stats.paired.losses import paired_mean
from flows.stats.paired.ranking import auc
from flows.stats.paired.sums import (
    calibration_of,
    calibration_rows,
    confusion_rows,
    f1_of,
    mean_of,
    percentage_error_rows,
)
from flows.stats.sequential.group.spending import obrien_fleming

PAGE = Path(__file__).parents[3] / "docs" / "statistics" / "reference.md"
ROWS = re.findall(r"^\| [^|]+ \| `([\w.]+)` \| (`[^|]+`) \|", PAGE.read_text(), flags=re.MULTILINE)
CALLS = [(module, call) for module, cell in ROWS for call in re.findall(r"`([^`]+)`", cell)]

rng = np.random.default_rng(5)
a, b = rng.exponential(size=(2, 120)) + 0.1
labels = rng.integers(0, 2, 120)
NAMES = {
    "a": a,
    "b": b,
    "before": a + rng.normal(size=120),
    "labels": labels,
    "scores_a": np.clip(0.3 + 0.3 * labels + 0.3 * rng.normal(size=120), 0, 1),
    "scores_b": np.clip(0.3 + 0.4 * labels + 0.3 * rng.normal(size=120), 0, 1),
    "right_a": rng.random(120) < 0.7,
    "right_b": rng.random(120) < 0.8,
    "right": rng.integers(0, 2, (120, 3)),
    "clusters": [f"caller {i // 3}" for i in range(120)],
    "requests": rng.integers(1, 5, 120),
    "folds_a": [0.8, 0.7, 0.9, 0.8],
    "folds_b": [0.9, 0.9, 0.9, 0.8],
    "halves_a": rng.random((5, 2)),
    "halves_b": rng.random((5, 2)),
    "scores": rng.random((12, 3)),
    "strata": {"10 %": (Moments.of(a), Moments.of(b)), "50 %": (Moments.of(b), Moments.of(a + 1))},
    "effect": paired_mean(a, b),
    "propensities": np.full(120, 0.5),
    "auc": auc,
    "rate_belief": rate_belief,
    "obrien_fleming": obrien_fleming,
    "f1_of": f1_of,
    "mean_of": mean_of,
    "calibration_of": calibration_of,
    "confusion_rows": confusion_rows,
    "percentage_error_rows": percentage_error_rows,
    "calibration_rows": calibration_rows,
}


@pytest.mark.parametrize(("module", "call"), CALLS)
def test_a_call_of_the_reference_page_works(module, call):
    there = vars(importlib.import_module(f"flows.stats.{module}"))
    assert ast.parse(call, mode="eval").body.func.id in there

    assert eval(call, dict(there), NAMES) is not None


def test_the_page_has_its_tables():
    assert len(CALLS) > 90
