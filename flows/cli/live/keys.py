"""Wait for the next look, or for the key that ends it."""

import contextlib
import os
import select
import sys
import time
from collections.abc import Iterator

_QUIT = (b"q", b"Q", b"\x1b", b"")


@contextlib.contextmanager
def listening() -> Iterator[bool]:
    """Let single keys be read, where a person sits at a terminal; whether they can."""
    try:
        import termios
        import tty
    except ImportError:  # no such terminals there: Ctrl-C still ends it
        yield False
        return
    if not sys.stdin.isatty():
        yield False
        return
    before = termios.tcgetattr(sys.stdin.fileno())
    tty.setcbreak(sys.stdin.fileno())
    try:
        yield True
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)


def told_to_quit(seconds: float, *, keys: bool) -> bool:
    """Wait so long; True as soon as the key is pressed."""
    if not keys:
        time.sleep(seconds)
        return False
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select([sys.stdin], [], [], left)
        if ready and os.read(sys.stdin.fileno(), 1) in _QUIT:
            return True
    return False
