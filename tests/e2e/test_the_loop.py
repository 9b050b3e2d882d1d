"""The whole loop with real components: what `make demo EXIT=1` shows."""

import json

import pytest
from e2e_commands import Place

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    place = Place.under(tmp_path_factory.mktemp("demo"))
    done = place.run("demo", "--exit", "--json", seconds=840)
    yield place, done
    place.run("down", seconds=60)


def test_the_demo_ends_by_itself_and_every_phase_did_its_job(demo):
    _, done = demo
    shown = json.loads(done.stdout)

    assert {phase["name"]: phase["said"] for phase in shown["phases"] if not phase["passed"]} == {}
    assert (done.returncode, shown["passed"]) == (0, True)


def test_every_row_was_answered_joined_and_counted_once(demo):
    _, done = demo
    books = json.loads(done.stdout)["summary"]["books"]

    assert len(books) >= 4
    assert [line for line in books if line["expected"] != pytest.approx(line["found"], rel=1e-9)] == []


def test_nothing_is_left_running(demo):
    place, _ = demo

    assert place.processes() == []


def test_the_audit_of_all_that_happened_is_unbroken(demo):
    place, _ = demo
    done = place.run("audit", "verify", seconds=60)

    assert done.returncode == 0, done.stderr
