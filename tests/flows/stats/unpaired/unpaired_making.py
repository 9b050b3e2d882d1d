"""Samples that the tests of this room share."""

from hypothesis import strategies as st

from flows.stats.moments import Moments

SAMPLES = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=20).map(Moments.of)
POSITIVE = st.lists(st.floats(0.1, 100).map(lambda x: round(x, 3)), min_size=2, max_size=20).map(Moments.of)
