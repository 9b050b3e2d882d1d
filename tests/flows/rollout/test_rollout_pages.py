"""What Prefect's pages say of a rollout that the router or a person has ended."""

from datetime import UTC, datetime

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.ops.ports import free_port
from flows.rollout.begin import begin_rollout
from flows.rollout.describe import is_told, markdown, standing
from flows.rollout.gate.page import closed, page
from flows.rollout.machine import Move
from flows.rollout.pages import tend_pages
from registry.records.rollout import Step
from registry.steering import abort, pause

START = datetime(2026, 1, 5, tzinfo=UTC)
BEFORE = (
    "# churn\n\n- **ml_lead** (anybody may sign): has not signed yet\n\n## Checklist\n\n1. **Parity**: yes. 9e-13\n"
    "2. **Deployment approved**: no. missing: ml_lead\n\n"
)
BEFORE += "Sign-offs are bound to `abc`."


@pytest.fixture
def begun(desk, configured):
    """A rollout that waits for two people before its first callers."""
    return begin_rollout(
        configured(require_approval=True),
        desk.registry,
        model="churn",
        challenger="v1.1.0",
        decision=None,
        actor="ann",
        reason="test",
        at=START,
        steps=[Step(share=100_000, min_s=0, max_s=60), Step(share=1_000_000, min_s=0, max_s=60)],
    )


def end(desk):
    return abort(desk.registry, "churn", actor="bob", reason="not before the holidays", at=START).rollout


def test_a_page_is_true_until_somebody_moves_the_rollout(desk, begun):
    text = markdown("churn", begun, Move(kind="hold", step=-1, said="it waits"))
    held = pause(desk.registry, "churn", actor="bob", reason="black friday", at=START).rollout

    assert is_told(text, begun)
    assert not is_told(text, held)
    assert is_told(standing(held), held)
    assert "bob holds it: black friday" in standing(held)


def test_a_closed_question_says_how_it_ended_who_signed_and_what_the_checklist_was(desk, begun):
    desk.registry.sign(begun.id, actor="ann", role="ml_lead", reason="read it", at=START)
    ended = end(desk)

    text = closed(ended, "r-0001 is aborted: bob", desk.registry.approvals(ended.id), None, desk.settings.home, BEFORE)

    assert "**Nobody is asked any more.** r-0001 is aborted: bob." in text
    assert "- **ml_lead**: ann, 2026-01-05T00:00: read it" in text
    assert text.endswith(
        "## Checklist, as people were asked\n\n1. **Parity**: yes. 9e-13\n2. **Deployment approved**: see above."
    )
    assert "has not signed" not in text


def test_without_a_server_the_look_goes_on(desk, begun, caplog):
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        tend_pages(desk, "churn")

    assert "pages on the Prefect server were not looked at" in caplog.text


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_pages_of_a_real_server_are_put_right_once_and_in_place(prefect, desk, begun):
    from prefect import flow
    from prefect.artifacts import create_markdown_artifact
    from prefect.client.orchestration import get_client

    asked = page(begun, desk.registry.gate(begun.id), None, (), desk.settings.home)
    text = markdown("churn", begun, Move(kind="hold", step=-1, said="it waits"))

    @flow
    def asks():
        create_markdown_artifact(asked, key="approval-churn", description=f"{begun.id}: v1.1.0 waits for ml_lead")
        create_markdown_artifact(text, key="rollout-churn", description="it waits")

    @flow
    def looks():
        tend_pages(desk, "churn")

    def shown():
        with get_client(sync_client=True) as client:
            return {one.key: one for one in client.read_latest_artifacts()}, client.read_artifacts()

    asks()
    looks()
    before, _ = shown()
    end(desk)
    looks()
    looks()
    after, every = shown()

    assert "has not signed yet" in before["approval-churn"].data
    assert before["rollout-churn"].data == text
    assert "r-0001 is aborted: bob: not before the holidays" in after["approval-churn"].description
    assert "has not signed" not in after["approval-churn"].data
    assert "is *aborted*" in after["rollout-churn"].data
    assert len(every) == 3, "the gate's page was changed in place, that of the rollout got one more"
