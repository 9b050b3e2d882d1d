"""What a waiting replay does about a retraining that does not come."""

import pytest

from flows.replay.retraining import ATTEMPTS, LONGEST, PENDING_TOO_LONG, Run, next_action, telling


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


@pytest.mark.parametrize(
    ("states", "told_by"),
    [
        (["SCHEDULED"], 0),
        (["CRASHED", "CRASHED"], 0),
        (["SCHEDULED", "PENDING"], 1),  # the slot of the older one is what the newer one waits for
        (["PENDING", "RUNNING", "PENDING"], 1),
        (["SCHEDULED", "COMPLETED"], 0),
    ],
)
def test_a_run_that_holds_the_slot_speaks_for_those_that_wait_behind_it(states, told_by):
    assert telling(states) == told_by


def test_a_run_that_its_dead_worker_left_pending_is_given_up_although_a_newer_one_waits():
    states, ages = ["SCHEDULED", "PENDING"], [60.0, PENDING_TOO_LONG + 1]
    chosen = telling(states)

    assert next_action(Run(states[chosen], ages[chosen], 2), 120.0) == "give_up_pending"
