"""The report of a look: everything that was measured, nothing that breaks out of its place."""

import re
from datetime import UTC, datetime

import pytest

from flows.reports.drift.content import Distribution, DriftContent, ErrorPoint, FeatureLine, Mark, Metric, Past
from flows.reports.drift.report import drift_report

DAY = 86_400.0
START = datetime(2026, 3, 1, tzinfo=UTC).timestamp()


def feature(number, **changes):
    values = {"name": f"feature {number}", "kind": "numeric", "drifted": number < 3, "high": number == 0}
    values |= {"statistic": 0.3 / (number + 1), "adjusted": 1e-9 if number < 3 else 0.4, "psi": 0.5 / (number + 1)}
    return FeatureLine(**(values | {"null_psi": 0.04, "missing_change": 0.0, "importance": 0.1} | changes))


def content(**changes):
    names = [f"feature {n}" for n in range(12)]
    values = {
        "model": "churn",
        "champion": "v1.2.0",
        "at": datetime(2026, 4, 1, 6, tzinfo=UTC),
        "colour": "bad",
        "headline": "retraining asked for",
        "recommendation": "retrain now",
        "severity": "CRITICAL",
        "confidence": 0.93,
        "drift_type": "both",
        "summary": ("3 of 12 features drifted, feature 0 most", "the error rose by 41%"),
        "causes": ("rule 'error rises' fired", "feature 0 moved upwards"),
        "undecided": ("old model",),
        "rows": 1000,
        "reference_rows": 20_000,
        "features": tuple(feature(n) for n in range(12)),
        "distributions": (
            Distribution("feature 0", (0.0, 1.0, 2.0, 3.0), (), (0.5, 0.3, 0.2), (0.2, 0.3, 0.5)),
            Distribution("colour", (), ("red", "green"), (0.5, 0.5), (0.9, 0.1)),
        ),
        "history": tuple(
            Past(START + n * DAY, "LOW", {name: 0.02 * n / (i + 1) for i, name in enumerate(names)}, frozenset())
            for n in range(30)
        ),
        "errors": tuple(ErrorPoint(START + n * DAY, 0.2 + 0.003 * n, 0.15, 0.3) for n in range(30)),
        "marks": (Mark(START + 20 * DAY, "ADWIN"),),
        "baseline": 0.19,
        "metrics": (Metric("max_psi", 0.5, "largest PSI"), Metric("auc", None, "area under the ROC curve")),
    }
    return DriftContent(**(values | changes))


def test_everything_that_was_measured_is_shown():
    html = drift_report(content())

    for said in ("CRITICAL: retrain now", "Retraining asked for.", "93%", "3 of 12", "not enough data", "ADWIN"):
        assert said in html
    for heading in ("How far each feature moved", "What they look like now", "How the errors went", "When it began"):
        assert f"<h2>{heading}</h2>" in html
    assert "Left out" not in html


def test_the_same_content_gives_the_same_bytes():
    assert drift_report(content()) == drift_report(content())


def test_what_is_missing_is_left_out_and_said():
    html = drift_report(content(features=(), distributions=(), history=(), errors=(), metrics=()))

    left_out = html.partition("Left out of this report")[2]
    assert left_out.count("<li>") == 6
    assert "too few labels have arrived" in left_out


@pytest.mark.parametrize("nasty", ["<script>alert(1)</script>", '"><img src=x>', "\u202egnp.exe", "a" * 5000])
def test_names_stay_in_their_place(nasty):
    html = drift_report(
        content(
            model=nasty,
            headline=nasty,
            causes=(nasty,),
            features=(feature(0, name=nasty, findings=(nasty,)),),
            distributions=(Distribution(nasty, (), (nasty,), (1.0,), (1.0,)),),
            history=tuple(Past(START + n, "LOW", {nasty: 0.1}, frozenset({nasty})) for n in range(2)),
            marks=(Mark(START + DAY, nasty),),
        )
    )

    assert "<script" not in html and "<img" not in html and "\u202e" not in html


def test_nothing_is_loaded_from_anywhere():
    html = drift_report(content())

    assert re.findall(r"(?:src|href)=", html) == []
    assert "default-src 'none'" in html and " style=" not in html


@pytest.mark.parametrize("psi", [0.0, 1e-12, 1e6])
def test_any_size_of_psi_can_be_drawn(psi):
    html = drift_report(content(features=(feature(0, psi=psi),)))

    widths = [float(width) for width in re.findall(r'class="psi[^>]*|width="([\d.]+)%" height="14"', html) if width]
    assert widths and all(0 < width <= 70 for width in widths)
