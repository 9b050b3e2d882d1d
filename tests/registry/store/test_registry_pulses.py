"""The pulse of a rollout is the newest look at it, and nothing more."""

import math
from datetime import timedelta

import pytest
from postgres_making import BOTH
from registry_making import NOON, WHO, a_rollout, install

from registry.errors import InvalidRecord, NotFound


@BOTH
def test_the_newest_look_is_kept_without_an_entry(registry):
    install(registry, "v1.1.0")
    registry.start_rollout(a_rollout(), **WHO)
    before = registry.audit()

    assert registry.pulse_of("r-0001") is None
    registry.pulse("r-0001", step=0, baked_s=0.0, at=NOON)
    registry.pulse("r-0001", step=1, baked_s=12.5, at=NOON + timedelta(minutes=1))
    assert registry.pulse_of("r-0001") == (1, 12.5, NOON + timedelta(minutes=1))
    assert registry.audit() == before


def test_a_rollout_that_nobody_knows_has_no_pulse(registry):
    with pytest.raises(NotFound):
        registry.pulse("r-0001", step=0, baked_s=0.0, at=NOON)
    assert registry.pulse_of("r-0001") is None


@pytest.mark.parametrize("baked_s", [-1.0, math.nan, math.inf])
def test_time_that_cannot_have_passed_is_refused(registry, baked_s):
    with pytest.raises(InvalidRecord, match="has baked"):
        registry.pulse("r-0001", step=0, baked_s=baked_s, at=NOON)
