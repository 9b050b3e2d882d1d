"""What a comparison concluded, with the numbers behind every reason."""

from datetime import datetime
from typing import Literal

from registry.records.base import Record
from registry.records.policy import PromotionPolicy

Outcome = Literal["promote", "needs_approval", "continue", "reject", "invalid"]


class Finding(Record, frozen=True, kw_only=True):
    """
    One test or check that took part in a verdict.

    Attributes:
        name: e.g. "auc (DeLong)", "sample ratio".
        passed: None when there was too little data to say.
        estimate, low, high: Effect, challenger minus champion, so that more is better.
        p_value: None for checks that have none.
        said: One sentence with the numbers.
    """

    name: str
    passed: bool | None
    said: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    n: int = 0


class Decision(Record, frozen=True, kw_only=True):
    """
    A verdict that anybody can read and check.

    Attributes:
        kind: "holdout" (same rows, offline), "shadow" (same requests, live) or
            "split" (different callers, live).
        headline: One sentence for the person who must decide.
        report: Path of the HTML report, relative to the reports folder.
    """

    id: str
    model: str
    champion: str
    challenger: str
    kind: Literal["holdout", "shadow", "split"]
    outcome: Outcome
    headline: str
    findings: tuple[Finding, ...]
    policy: PromotionPolicy
    metrics: dict[str, dict[str, float]] = {}
    report: str | None = None
    created_at: datetime
