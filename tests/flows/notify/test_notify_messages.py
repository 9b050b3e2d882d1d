"""Texts say what to do, and let nothing out that may be somebody's."""

import inspect
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.notify import messages, notice_of
from flows.notify.messages import Message, approval_asked, approval_reminded, drift_found, failed, retraining_done
from flows.notify.scrub import LEFT_OUT, clean

TOKEN = "sk4Jq8Zr2Wv9Xy7Lm3Np5Tt1"
POISON = (
    "ann.smith@example.org",
    "/home/ann/secrets/model.bin",
    "postgresql://ann:hunter2@db.example.org/churn",
    TOKEN,
    "0123456789abcdef0123456789abcdef01234567",
    "4111 1111 1111 1111",
    "+49 (170) 1234 5678",
    "DE89 3704 0044 0532 0130 00",
    "password: hunter2secret",
    "Bearer abcdefghijkl",
)


def every_message(said):
    """All that can be told, with *said* wherever a text comes from elsewhere."""
    roles = ("ml_lead", "business_owner")
    given = {
        "model": "churn",
        "severity": "HIGH",
        "drift_type": "concept",
        "rule": said,
        "features": [said, "age"],
        "event_id": "retrain_20260105_001",
        "trigger": "drift",
        "rollout_id": "r-0001",
        "challenger": "v1.1.0",
        "champion": "v1.0.0",
        "version": "v1.1.0",
        "outcome": said,
        "what": said,
        "error": ValueError(said),
        "flow": "retrain",
        "run": said,
        "follows": said,
        "minutes": 12.0,
        "hours": 24.0,
        "said": said,
        "roles": roles,
        "missing": roles,
        "form": "http://127.0.0.1:4200/runs",
        "ended": True,
        "part": said,
    }
    builders = [
        one
        for name, one in inspect.getmembers(messages, inspect.isfunction)
        if one.__module__ == messages.__name__ and not name.startswith("_")
    ]
    return [build(**{name: given[name] for name in inspect.signature(build).parameters}) for build in builders]


@pytest.mark.parametrize("poison", POISON)
def test_no_message_lets_out_what_a_text_from_elsewhere_brings(poison):
    for message in every_message(f"it saw {poison} there"):
        notice = notice_of(message, model="churn", key="k")
        assert poison not in notice.title + notice.body, message.kind


def test_every_kind_that_flows_tell_of_has_a_text():
    assert {message.kind for message in every_message("said")} >= {
        *("update.before", "retraining.done", "drift.found", "rollout.started", "rollout.moved", "rollout.promoted"),
        *("rollout.rolled_back", "approval.asked", "approval.reminded", "approval.expired"),
        *("watch.passed", "watch.extended", "run.failed", "run.crashed", "run.late"),
        *("router.champion_failing", "router.srm", "router.shadow_diff", "router.degraded", "router.recovered"),
    }


def test_the_text_of_an_error_is_never_told():
    message = failed("churn", "retraining retrain_20260101_001", ValueError("could not convert 'Ann Smith'"))

    assert "Ann" not in str(message)
    assert "ValueError" in message.body


def test_an_approval_says_who_is_to_do_what_and_where():
    asked = approval_asked("churn", "r-0001", "v1.1.0", "shadow succeeded", ("ml_lead", "business_owner"), "http://h/x")

    assert asked.title == "churn: v1.1.0 waits for approval"
    assert asked.body == (
        "r-0001: shadow succeeded. To agree, different people, one ml_lead and one business_owner: "
        "`understudy approve churn --role ml_lead --reason ...` and "
        "`understudy approve churn --role business_owner --reason ...`, or fill in the form: http://h/x."
    )


def test_a_reminder_names_those_who_are_missing_only():
    message = approval_reminded("churn", "r-0001", "v1.1.0", ("ml_lead",), 24.0, "http://h/x")

    assert "ml_lead" in message.body
    assert "business_owner" not in message.body


def test_drift_names_rules_and_columns_and_never_values():
    message = drift_found("churn", "HIGH", "concept", "error rises", [*"abcdefg"], "retrain_20260105_001")

    assert message.body == (
        "Kind: concept by rule 'error rises'. Features: a, b, c, d, e and 2 more. "
        "Retraining retrain_20260105_001 was asked for. See: `understudy drift churn`."
    )


def test_what_became_of_a_retraining_is_told_without_the_verdict_s_own_words():
    assert "It goes into a rollout." in retraining_done("churn", "e", "v1.1.0", "rollout").body


@pytest.mark.parametrize(
    "text",
    [
        "r-0001: 10 % of callers succeeded; goes on with 50 % of callers.",
        "error rate 7.25 % of 12000 requests since 2026-01-05 12:00:00 UTC lies above 2 %",
        "See: `understudy incidents show i-0003`, or http://127.0.0.1:4200/runs/flow-run/0199-ab.",
        "`understudy status` and GET /readyz of the router say what it is.",
        "credit-default-2024-germany-retail: auc 0.8123 against 0.7991 [0.0100, 0.0164]",
        "retrain_20260101_001 of v1.10.0 (p = 0.00012345678)",
    ],
)
def test_ordinary_texts_stay_as_they_are(text):
    assert clean(text) == text


@given(
    st.lists(st.sampled_from(POISON), min_size=1, max_size=4),
    st.text(string.ascii_lowercase + " ,.;:", max_size=20),
)
def test_wherever_it_stands_poison_is_left_out(poisons, between):
    text = clean(f" {between} ".join(poisons), 10_000)

    assert LEFT_OUT in text
    assert not any(poison in text for poison in poisons)


def test_long_texts_are_cut_and_lines_joined():
    message = Message(kind="rollout.moved", title="t" * 400, body="a\nb" + " word" * 1000)
    notice = notice_of(message, model="churn", key="k")

    assert (len(notice.title), len(notice.body)) == (150, 600)
    assert notice.body.startswith("a b")
