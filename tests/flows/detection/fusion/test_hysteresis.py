from datetime import timedelta

import msgspec
import pytest
from fusion_making import NOON, decided, make_config, priced
from hypothesis import given
from hypothesis import strategies as st

from flows.detection.fusion.hysteresis import Former, held, lasted
from flows.detection.fusion.mapping import asked

LIMITS = make_config().detection
RISEN = decided({"error_increase": 0.3, "error_p": 0.001}, priced(0.2, 0.01))
OLD = decided({"age_days": 9.0, "new_rows": 2000.0})
CALM = decided(None, priced(0.0, 0.01))


def former(hours, *, triggered=False, confidence=0.1, harm=None, retrained=False):
    at = NOON - timedelta(hours=hours)
    return Former(at=at, triggered=triggered, confidence=confidence, harm=harm, retrained=retrained)


def begun(hours, harm=0.2):
    return former(hours, triggered=True, confidence=0.95, harm=harm, retrained=True)


def test_the_first_retraining_waits_for_nothing():
    assert held(RISEN, [former(6)], NOON, LIMITS).triggered


def test_within_the_cool_down_nothing_is_retrained_and_the_reason_is_told():
    found = held(RISEN, [begun(12)], NOON, LIMITS)

    assert not found.triggered
    assert found.held_back == "the retraining of 2026-03-01 00:00 is younger than the cool-down"
    assert found.severity == RISEN.severity


@pytest.mark.parametrize("emergency", [False, True])
def test_a_person_need_not_wait(emergency):
    assert held(decided(None, asked("ann", "why not", emergency=emergency)), [begun(1)], NOON, LIMITS).triggered


def test_after_the_cool_down_an_alarm_must_last_for_two_looks():
    once = held(RISEN, [begun(48)], NOON, LIMITS)
    twice = held(RISEN, [begun(48), former(6, triggered=True, confidence=0.9)], NOON, LIMITS)

    assert not once.triggered
    assert "seen at 1 of 2 looks" in once.held_back
    assert twice.triggered


def test_or_be_stronger_than_what_led_to_the_last_retraining():
    assert held(RISEN, [begun(48, harm=0.1)], NOON, LIMITS).triggered
    assert not held(RISEN, [begun(48, harm=0.15)], NOON, LIMITS).triggered


def test_later_one_look_is_enough_again():
    assert held(RISEN, [begun(24 * 8)], NOON, LIMITS).triggered


def test_age_need_not_last():
    assert held(OLD, [begun(48)], NOON, LIMITS).triggered


def test_an_alarm_ends_only_below_the_lower_bar():
    wavering = [former(18, triggered=True, confidence=0.9), former(12, confidence=0.6), former(6, confidence=0.55)]
    over = [*wavering, former(1, confidence=0.4)]

    assert lasted(RISEN, wavering, 0.5) == 4
    assert lasted(RISEN, over, 0.5) == 1
    assert lasted(CALM, over, 0.5) == 0
    assert lasted(CALM, [former(6, confidence=0.6)], 0.5) == 0


def test_a_look_that_was_held_back_still_counts_as_an_alarm():
    first = held(RISEN, [begun(48)], NOON, LIMITS)

    assert lasted(first, [], 0.5) == 1


some_look = st.builds(former, st.floats(-24, 999), triggered=st.booleans(), confidence=st.floats(0, 1))
looks = st.lists(some_look, max_size=6)


@given(looks, st.booleans())
def test_a_decision_that_was_not_triggered_never_becomes_so(formers, retrained):
    formers = [msgspec.structs.replace(one, retrained=retrained) for one in formers]

    assert held(CALM, formers, NOON, LIMITS) == CALM
    assert held(RISEN, formers, NOON, LIMITS) == held(RISEN, formers[::-1], NOON, LIMITS)


def test_an_alarm_that_comes_and_goes_retrains_at_most_once_in_each_settling_time():
    formers, count = [], 0
    for look in range(4 * 28):  # four weeks, every 6 hours; on at every second look, with less confidence than the bar
        now = NOON + timedelta(hours=6 * look)
        decision = held(RISEN if look % 2 else CALM, formers, now, LIMITS)
        count += decision.triggered
        asking = decision.triggered or decision.held_back is not None
        formers.append(
            Former(
                at=now,
                triggered=asking,
                confidence=decision.confidence if asking else 0.1,
                harm=decision.harm,
                retrained=decision.triggered,
            )
        )

    assert count == 4
