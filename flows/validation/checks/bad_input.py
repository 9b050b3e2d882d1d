"""Does it refuse what makes no sense, and survive what callers may well send?"""

import math
from typing import Any

import msgspec

from flows.validation.asking import Caller, Failed
from flows.validation.exam import Exam, Row
from flows.validation.report import Check
from registry.records.version import Feature

REFUSED = (400, 422)
UNKNOWN = "a level that nobody has seen"
_FAR = 10.0  # widths of the range seen in training, beyond it


def bad_input(exam: Exam) -> list[Check]:
    """Send malformed bodies, and rows with holes, unknown levels and extreme numbers."""
    with exam.another_caller() as caller:
        return [_malformed(exam, caller), _unusual(exam, caller)]


def _malformed(exam: Exam, caller: Caller) -> Check:
    row = exam.rows[0]
    bodies = _malformed_bodies(row, {feature.name: feature.kind for feature in exam.version.features})
    wrong = []
    for what, body in bodies.items():
        try:
            status = caller.post(body).status_code
        except Failed as failed:
            status = failed.status
        if status not in REFUSED:
            wrong.append(f"{what} is answered by {status}")
    said = "; ".join(wrong) + ", expected 422." if wrong else f"{len(bodies)} malformed requests were refused."
    return Check(name="bad input", passed=not wrong, value=float(len(wrong)), bound=0.0, said=said)


def _malformed_bodies(row: Row, kinds: dict[str, str]) -> dict[str, bytes]:
    first = next(iter(row))
    wrong: Any = {"a": 1} if kinds[first] == "categorical" else "many"
    documents = {
        "a missing feature": {"features": {name: value for name, value in row.items() if name != first}},
        "an unknown feature": {"features": row | {"no such feature": 1}},
        "a feature of the wrong type": {"features": row | {first: wrong}},
        "a row without features": {"key": "1"},
        "an empty batch": {"rows": []},
    }
    return {"a torn body": b'{"features": {'} | {what: msgspec.json.encode(one) for what, one in documents.items()}


def _unusual(exam: Exam, caller: Caller) -> Check:
    rows, wrong = unusual_rows(exam.rows[0], exam), []
    for what, row in rows.items():
        try:
            score = caller.one(row)[0]["score"]
        except Failed as failed:
            wrong.append(f"{what}: {failed}")
            continue
        if not math.isfinite(score):
            wrong.append(f"{what}: it says {score}")
    shown = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
    said = f"{shown}." if wrong else f"{len(rows)} rows with missing values, unknown levels and extremes were answered."
    return Check(name="missing and unknown values", passed=not wrong, value=float(len(wrong)), bound=0.0, said=said)


def unusual_rows(row: Row, exam: Exam) -> dict[str, Row]:
    """What a caller may send on a bad day, by what is unusual."""
    numeric = [f for f in exam.version.features if f.kind == "numeric"]
    categorical = [f.name for f in exam.version.features if f.kind == "categorical"]
    rows = {"all values missing": dict.fromkeys(row)} | {f"{name} missing": row | {name: None} for name in row}
    if categorical:
        rows["all levels unknown"] = row | dict.fromkeys(categorical, UNKNOWN)
        rows["all levels empty"] = row | dict.fromkeys(categorical, "")
    if numeric:
        rows["all numbers far above"] = row | {f.name: _beyond(f, _FAR) for f in numeric}
        rows["all numbers far below"] = row | {f.name: _beyond(f, -_FAR) for f in numeric}
        rows["all numbers zero"] = row | {f.name: 0.0 for f in numeric}
    return rows


def _beyond(feature: Feature, widths: float) -> float:
    """A value so many widths of the known range above its top, or below its bottom."""
    low, high = feature.low or 0.0, feature.high or 1.0
    return (high if widths > 0 else low) + widths * max(high - low, 1.0)
