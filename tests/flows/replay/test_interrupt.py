"""An interrupt is an interrupt, whatever a library makes of it."""

import os
import signal

import pytest

from flows.replay.interrupt import interruptible


def test_an_interrupt_that_a_library_wrapped_is_an_interrupt():
    with pytest.raises(KeyboardInterrupt), interruptible():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
        except KeyboardInterrupt as wrapped:
            raise ValueError("serialization failed") from wrapped


def test_other_errors_stay_what_they_are():
    with pytest.raises(ValueError, match="just so"), interruptible():
        raise ValueError("just so")


def test_the_handler_of_before_is_back():
    before = signal.getsignal(signal.SIGINT)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
