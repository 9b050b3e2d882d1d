"""The report of a decision."""

import re
from datetime import UTC, datetime

import pytest

from flows.reports.decision import decision_markdown, decision_report, publish_decision
from registry.home import Settings
from registry.records.policy import PromotionPolicy
from registry.records.verdict import Decision, Finding

DECISION = Decision(
    id="d-1",
    model="churn",
    champion="v1.0.0",
    challenger="v1.1.0",
    kind="shadow",
    outcome="promote",
    headline="v1.1.0 against v1.0.0 in shadow: surely better <b>",
    findings=(
        Finding(name="accuracy", passed=True, said="accuracy: +0.03", estimate=0.03, low=0.01, high=0.05, n=900),
        Finding(name="loss", passed=None, said="loss: unbounded", estimate=0.1, low=None, high=None, n=3),
        Finding(name="coverage", passed=False, said="half was lost"),
    ),
    policy=PromotionPolicy(metric="accuracy"),
    metrics={"champion": {"loss": 0.2, "served": 900}, "challenger": {"loss": 0.1}},
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_the_verdict_comes_first_and_everything_is_escaped():
    html = decision_report(DECISION)

    assert html.index("Promote v1.1.0: on the same 900 live requests") < html.index("How large the effects are")
    assert "surely better &lt;b&gt;" in html
    assert "better <b>" not in html


def test_the_report_works_offline():
    html = decision_report(DECISION)

    assert not re.search(r"src\s*=|@import|url\(|<script", html)


@pytest.mark.parametrize("outcome", ["promote", "needs_approval", "continue", "reject", "invalid"])
def test_every_outcome_has_a_sentence_for_people(outcome):
    import msgspec

    assert "<strong>" in decision_report(msgspec.structs.replace(DECISION, outcome=outcome))


def test_publishing_writes_the_file_that_the_decision_names(tmp_path):
    settings = Settings(home=tmp_path)

    kept = publish_decision(settings, DECISION)

    assert (settings.reports_dir / str(kept.report)).read_text().startswith("<!doctype html>")


def test_the_markdown_has_a_row_per_finding():
    assert decision_markdown(DECISION, "x.html").count("\n| ") == 2 + len(DECISION.findings)
