"""What a killed process breaks is tried again; what is wrong is not."""

import pytest

from flows.errors import Unreachable
from flows.replay.patience import patiently


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0
        self.pauses = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


def failing(times):
    left = [Unreachable("It does not answer.", "It is down.", "Wait.")] * times

    def call():
        if left:
            raise left.pop()
        return "done"

    return call


def again(error):
    return isinstance(error, Unreachable)


def test_it_tells_once_that_it_waits_and_once_that_it_is_back():
    time, told = Time(), []

    done = patiently(failing(5), again=again, told=told.append, clock=time, sleep=time.sleep)

    assert done == "done"
    assert time.pauses == [0.2, 0.4, 0.8, 1.6, 3.2]
    assert [said.split(":")[0].split(" after")[0] for said in told] == ["waiting", "back"]


def test_pauses_never_exceed_five_seconds_and_patience_ends():
    time = Time()

    with pytest.raises(Unreachable):
        patiently(failing(1000), again=again, told=lambda _: None, patience=60, clock=time, sleep=time.sleep)

    assert max(time.pauses) == 5
    assert 60 < time.now <= 66


def test_a_mistake_is_raised_at_once():
    def call():
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        patiently(call, again=again, told=lambda _: None)
