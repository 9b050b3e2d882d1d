"""What tests of the gate share."""

from datetime import UTC, datetime

import pytest

from flows.rollout.begin import begin_rollout


@pytest.fixture
def begun(registry, configured):
    """A rollout that began on 5 January 2026, and needs two people."""
    return begin_rollout(
        configured(require_approval=True),
        registry,
        model="churn",
        challenger="v1.1.0",
        decision=None,
        actor="ann",
        reason="test",
        at=datetime(2026, 1, 5, tzinfo=UTC),
    )
