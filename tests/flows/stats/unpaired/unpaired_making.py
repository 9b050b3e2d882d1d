"""Samples that the tests of this room share."""

import doctest
import importlib

from hypothesis import strategies as st

from flows.stats.moments import Moments

SAMPLES = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=20).map(Moments.of)
POSITIVE = st.lists(st.floats(0.1, 100).map(lambda x: round(x, 3)), min_size=2, max_size=20).map(Moments.of)


def examples_run(name):
    found = doctest.testmod(importlib.import_module(f"flows.stats.{name}"))
    return found.attempted > 0 and found.failed == 0
