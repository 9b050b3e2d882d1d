"""The circuit opens on failures in a row, probes, and closes on success."""

from hypothesis import given
from hypothesis import strategies as st

from router.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def breaker(failures=3, open_s=2.0):
    clock = Clock()
    return Breaker(failures, open_s, clock), clock


def test_it_opens_after_so_many_failures_in_a_row():
    circuit, _ = breaker()
    for _ in range(2):
        circuit.failed()
    assert circuit.allows()
    circuit.failed()
    assert (circuit.state, circuit.allows()) == ("open", False)


def test_a_success_in_between_starts_the_count_again():
    circuit, _ = breaker()
    for _ in range(10):
        circuit.failed()
        circuit.failed()
        circuit.succeeded()
    assert circuit.state == "closed"


def test_after_a_while_exactly_one_probe_passes():
    circuit, clock = breaker()
    for _ in range(3):
        circuit.failed()
    clock.now = 2.0
    assert [circuit.allows() for _ in range(5)] == [True, False, False, False, False]


def test_a_failed_probe_opens_it_again_and_the_outage_goes_on_counting():
    circuit, clock = breaker()
    for _ in range(3):
        circuit.failed()
    clock.now = 2.0
    circuit.allows()
    circuit.failed()
    clock.now = 3.0
    assert (circuit.state, circuit.open_for) == ("open", 3.0)


def test_a_good_probe_closes_it():
    circuit, clock = breaker()
    for _ in range(3):
        circuit.failed()
    clock.now = 2.0
    circuit.allows()
    circuit.succeeded()
    assert (circuit.state, circuit.open_for, circuit.allows()) == ("closed", 0.0, True)


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5))
def test_it_is_open_exactly_when_the_newest_answers_all_failed(answers, failures):
    circuit, _ = breaker(failures)
    for good in answers:
        circuit.succeeded() if good else circuit.failed()

    newest = answers[-failures:]
    assert (circuit.state == "open") == (len(newest) == failures and not any(newest))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=80))
def test_a_challenger_that_is_down_is_asked_once_per_pause_and_never_again_before_the_answer(steps):
    circuit, clock = breaker(failures=3, open_s=2.0)
    for _ in range(3):
        circuit.failed()
    probes, waiting = [], False
    for passed, answered in steps:
        clock.now += passed
        if waiting and answered:
            circuit.failed()
            waiting = False
        if circuit.allows():
            assert not waiting
            probes.append(clock.now)
            waiting = True

    assert all(later - earlier >= 2.0 for earlier, later in zip([0.0, *probes], probes, strict=False))


def test_a_probe_that_never_answers_lets_no_second_one_through():
    circuit, clock = breaker()
    for _ in range(3):
        circuit.failed()
    clock.now = 2.0
    assert circuit.allows()
    clock.now = 1000.0

    assert not circuit.allows()
