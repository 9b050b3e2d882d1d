"""The form, and the runs that show it: what the server may know, and what happens without one."""

import logging
import time
from datetime import UTC, datetime

import msgspec
import pydantic
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.ops.ports import free_port
from flows.rollout.gate.form import answered, form_of
from flows.rollout.gate.forms import ensure_gate, over, tend_forms

START = datetime(2026, 1, 5, tzinfo=UTC)
YES = {"name": "ann", "role": "ml_lead", "decision": "yes", "reason": "read the report"}


@pytest.fixture
def state(registry, begun):
    asked = msgspec.structs.replace(begun, revision=2, status="waiting_approval")
    registry.move_rollout(asked, actor="rollout", reason="asks", at=START)
    return registry.gate(begun.id)


def test_the_form_has_plain_titles_bounds_and_nothing_filled_in(state):
    schema = form_of(state, "Read this.").model_json_schema()

    titles = [one.get("title", one.get("$ref")) for one in schema["properties"].values()]
    assert titles == ["Your name", "#/$defs/Role", "Decision", "Reason"]  # the name of the type is a title, too
    assert schema["required"] == ["name", "role", "decision", "reason"]
    assert schema["properties"]["reason"]["minLength"] == 5
    assert schema["$defs"]["Role"]["enum"] == ["ml_lead", "business_owner"]
    assert schema["$defs"]["Answer"]["enum"] == ["yes", "no"]
    assert schema["additionalProperties"] is False
    assert not any("default" in one for one in schema["properties"].values())


def test_an_answer_of_a_role_that_has_signed_since_is_read_again(registry, state):
    registry.sign(state.rollout, actor="ann", role="ml_lead", reason="read it", at=START)
    form = form_of(registry.gate(state.rollout), "again")

    assert answered(form(**YES)).role == "ml_lead"
    assert form.model_json_schema()["$defs"]["Role"]["enum"] == ["business_owner", "ml_lead"]


@pytest.mark.parametrize("wrong", [{"reason": "ok"}, {"role": "king"}, {"decision": "perhaps"}, {"colour": "red"}])
def test_what_the_server_let_through_is_checked_again(state, wrong):
    with pytest.raises(pydantic.ValidationError):
        form_of(state, "again")(**YES | wrong)


def test_why_a_question_is_over_is_said(registry, state):
    assert over(state, state.bound_to[:12]) == ""
    assert "has changed since" in over(state, "f" * 12)
    for actor, role in (("ann", "ml_lead"), ("bob", "business_owner")):
        registry.sign(state.rollout, actor=actor, role=role, reason="read it", at=START)
    assert "ann as ml_lead, bob as business_owner" in over(registry.gate(state.rollout), state.bound_to)
    registry.sign(state.rollout, actor="bob", role="business_owner", reason="no longer", answer="reject", at=START)
    assert "is aborted: bob said no" in over(registry.gate(state.rollout), state.bound_to)


def test_without_a_server_the_rollout_goes_on(registry, desk, state, caplog):
    rollout = registry.rollout(state.rollout)
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}), caplog.at_level(logging.WARNING):
        began = time.monotonic()
        assert ensure_gate(desk, rollout) is None
        tend_forms(desk, "churn")

    assert time.monotonic() - began < 5
    assert "no form on the Prefect server" in caplog.text


def test_nobody_named_a_server(registry, desk, state):
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert ensure_gate(desk, registry.rollout(state.rollout)) is None
