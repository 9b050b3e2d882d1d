"""Looks that are cut off: a process that is killed, a registry that goes away."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from drift_making import NOON
from watched_making import CONFIG, failing, settled

from flows.data import prepare
from flows.detection.sources import TableRows
from flows.detection.standard import read_kept
from flows.detection.watch import watch
from registry.artifacts import ArtifactStore
from registry.errors import StoreUnavailable
from registry.home import Settings
from registry.store.registry import Registry

LATER = NOON + timedelta(hours=1)
KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from test_watch_faults import look_at, Settings

def die(_):
    os.kill(os.getpid(), signal.SIGKILL)

look_at(Settings(), wake=die)
"""


@pytest.fixture
def settings():
    settings = Settings().prepare()
    settled(settings)
    return settings


def look_at(settings, at=NOON, wake=lambda _: None):
    from flows.comparison.scoring import TableScorer

    store = ArtifactStore(settings.models_dir)
    with Registry.open(settings.registry_url) as registry:
        champion = registry.champion("churn")
        rows = TableRows(prepare(CONFIG, failing()), CONFIG, champion.version, TableScorer(champion, store).score)
        return watch(CONFIG, registry, rows, lambda version: read_kept(store, version), at, wake).look


def kept(settings):
    with Registry.open(settings.registry_url) as registry:
        return registry.retraining_events("churn"), registry.drift_reports("churn")


def test_a_look_that_is_killed_before_anybody_was_woken_is_made_up_for_by_the_next_one(settings, request):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(request.path.parent)], timeout=120)
    (event,), reports = kept(settings)
    woken = []

    look = look_at(settings, LATER, woken.append)

    assert (killed.returncode, reports) == (-signal.SIGKILL, [])
    assert [one.event_id for one in woken] == [look.event_id] == [event.id]
    (only,), (report,) = kept(settings)
    assert (only.id, report["event_id"]) == (event.id, event.id)


def test_an_event_that_was_told_of_is_not_told_again(settings):
    first = look_at(settings)
    woken = []
    second = look_at(settings, LATER, woken.append)

    assert first.event_id is not None
    assert (woken, second.event_id, second.held_back) == ([], None, f"{first.event_id} has not ended yet")


def test_a_retraining_that_somebody_began_by_hand_is_not_taken_up(settings):
    from flows.training.events import open_event

    with Registry.open(settings.registry_url) as registry:
        asked = {"event_id": None, "reason": "", "actor": "ann", "at": NOON - timedelta(minutes=1)}
        event = open_event(registry, "churn", trigger="manual", **asked)

    assert look_at(settings).held_back == f"{event.id} has not ended yet"


def test_a_look_that_is_repeated_after_a_failed_wake_raises_no_second_event(settings):
    def fail(_):
        raise StoreUnavailable("Nobody was woken.", "The server is away.", "Start it.")

    with pytest.raises(StoreUnavailable):
        look_at(settings, wake=fail)
    look = look_at(settings)

    (event,), (report,) = kept(settings)
    assert look.event_id == event.id == report["event_id"]
