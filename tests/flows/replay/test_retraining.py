"""What a waiting replay does about a retraining that does not come."""

import pytest

from flows.replay.retraining import ATTEMPTS, LONGEST, Run, next_action


@pytest.mark.parametrize(
    ("run", "waited", "action"),
    [
        (Run("NONE", 5, 0), 5, "wait"),
        (Run("NONE", 21, 0), 21, "start"),
        (Run("SCHEDULED", 60, 1), 60, "wait"),
        (Run("RUNNING", 600, 1), 600, "wait"),
        (Run("PENDING", 30, 1), 30, "wait"),
        (Run("PENDING", 91, 1), 91, "give_up_pending"),
        (Run("CRASHED", 1, 1), 30, "start"),
        (Run("FAILED", 1, ATTEMPTS), 30, "fail"),
        (Run("COMPLETED", 1, 1), 30, "wait"),
        (Run("COMPLETED", 30, 1), 30, "start"),
        (Run("RUNNING", 1, 1), LONGEST + 1, "fail"),
    ],
)
def test_an_event_is_a_wake_up_not_truth(run, waited, action):
    assert next_action(run, waited) == action
