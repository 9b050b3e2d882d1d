"""What a comparison concluded, with the numbers behind every reason."""

from datetime import datetime
from typing import Literal

from registry.records.base import Record
from registry.records.policy import PromotionPolicy

Outcome = Literal["promote", "needs_approval", "continue", "reject", "invalid"]
Role = Literal["primary", "goal", "guardrail", "integrity", "segment", "context"]


class Finding(Record, frozen=True, kw_only=True):
    """
    One test or check that took part in a verdict.

    Attributes:
        name: e.g. "auc (DeLong)", "sample ratio".
        passed: None when there was too little data to say.
        estimate, low, high: Effect, challenger minus champion, so that more is better.
        p_value: None for checks that have none.
        said: One sentence with the numbers.
        role: What it does in the verdict; "segment" and "context" are reported only.
        metric: e.g. "auc", "revenue"; None for checks that are not about one.
        method: Name of the test and its interval, as a statistician would write it.
        always_valid: Whether it may be looked at as often as one likes.
        log_p: Natural logarithm of the p-value, exact where p_value would underflow.
        threshold: What the interval had to lie above, in the unit of the estimate.
        champion, challenger: The metric's value of each.
        lift, lift_low, lift_high: The effect relative to the champion's value; more is better.
        repair: What would change it, when it did not pass.
    """

    name: str
    passed: bool | None
    said: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    n: int = 0
    role: Role = "context"
    metric: str | None = None
    method: str = ""
    always_valid: bool = False
    log_p: float | None = None
    threshold: float | None = None
    champion: float | None = None
    challenger: float | None = None
    lift: float | None = None
    lift_low: float | None = None
    lift_high: float | None = None
    repair: str = ""


class Decision(Record, frozen=True, kw_only=True):
    """
    A verdict that anybody can read and check.

    Attributes:
        kind: "holdout" (same rows, offline), "shadow" (same requests, live) or
            "split" (different callers, live).
        headline: One sentence for the person who must decide.
        changes: What would change the verdict, one sentence each.
        more_needed: Labelled requests still expected until there is a verdict; None if unknown.
        power: Chance that the data so far would have shown an improvement of the policy's size.
        flow: By variant: {"assigned", "served", "labelled", "matched"}, as far as they apply.
        identities: What was compared: {"data", "champion", "challenger", "policy", "code"}, digests or versions.
        inputs: Sha256 of the stored inputs from which the decision can be computed again.
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
    changes: tuple[str, ...] = ()
    more_needed: int | None = None
    power: float | None = None
    flow: dict[str, dict[str, int]] = {}
    identities: dict[str, str] = {}
    inputs: str | None = None
    report: str | None = None
    created_at: datetime
