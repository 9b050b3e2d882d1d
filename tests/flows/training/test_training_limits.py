"""How long, how many at once, how politely, and what is left when it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import psutil
import pytest
from training_making import NOW, make_config, make_frame

from flows.training import stages
from flows.training.alone import alone
from flows.training.errors import Busy, CancelledByPeople, TimedOut
from flows.training.limits import at_most, no_children_left, watched
from flows.training.progress import Outlook, heard, listening, silent
from flows.training.retraining import run_retraining
from flows.training.scratch import Scratch

QUICK = make_config(training={"trials": 0, "families": ["linear"], "min_rows": 200})
HOLDER = """
import sys, time
from registry.home import Settings
from flows.training.alone import alone
with alone(Settings().prepare(), "churn", "retrain_20260301_007"):
    print("held", flush=True)
    time.sleep(60)
"""


POLITE = """
import json, os, psutil
from flows.training.politeness import be_polite, cap_threads
cap_threads()
be_polite()
process = psutil.Process()
said = [os.environ["GOMP_SPINCOUNT"], os.environ["OMP_NUM_THREADS"]]
print(json.dumps([process.nice(), int(process.ionice().ioclass), *said]))
"""


@pytest.fixture
def holder(settings):
    """Another process that retrains the model."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_retraining_is_refused_and_told_who_runs(settings, holder):
    with pytest.raises(Busy) as refusal, alone(settings, "churn", ""):
        pass

    assert refusal.value.event == "retrain_20260301_007"
    assert f"Process {holder.pid}" in refusal.value.why


def test_a_killed_holder_blocks_nobody_and_other_models_never(settings, holder):
    with alone(settings, "fraud", ""):
        pass
    holder.kill()
    holder.wait()

    with alone(settings, "churn", "x") as sign:
        sign("y")
        said = json.loads((settings.run_dir / "retraining-churn.json").read_text())
    assert said["event"] == "y"


def test_the_same_process_cannot_retrain_a_model_twice_at_once(settings):
    with alone(settings, "churn", ""), pytest.raises(Busy, match="This process"), alone(settings, "churn", ""):
        pass


def test_who_is_kept_out_closes_its_event_and_leaves_that_of_the_other_alone(make_shop, registry, settings):
    shop = make_shop(make_frame(600), QUICK)
    with alone(settings, "churn", "retrain_20260301_009"):
        done = run_retraining(shop, actor="ann")

    assert (done.outcome, done.event.execution_attempted) == ("refused", False)
    assert done.event.completed_at is not None
    assert registry.versions("churn") == []


def test_the_time_limit_interrupts_what_does_not_listen():
    began = time.monotonic()
    with pytest.raises(TimedOut, match="time limit"), at_most("churn", timedelta(seconds=0.2)):
        time.sleep(30)

    assert time.monotonic() - began < 5
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0 or signal.getsignal(signal.SIGALRM) is not None


def test_a_retraining_beyond_its_limit_ends_as_timed_out_and_registers_nothing(make_shop, registry, settings):
    limited = QUICK.model_copy(
        update={"training": QUICK.training.model_copy(update={"time_limit": timedelta(seconds=1)})}
    )

    def slow():
        time.sleep(30)

    with pytest.raises(TimedOut):
        run_retraining(make_shop(slow, limited), actor="ann")

    (event,) = registry.retraining_events("churn")
    assert (event.execution_successful, event.notes[:8]) == (False, "TimedOut")
    assert registry.versions("churn") == []
    assert not Scratch.of(settings, event.id).folder.exists()


def test_a_cancelled_retraining_says_so_and_leaves_nothing(make_shop, registry, settings, monkeypatch):
    monkeypatch.setattr("flows.training.limits.ASK_EVERY_S", 0.0)

    with pytest.raises(CancelledByPeople):
        run_retraining(make_shop(make_frame(600), QUICK, cancelled=lambda: True), actor="ann")

    (event,) = registry.retraining_events("churn")
    assert event.notes.startswith("Cancelled: ")
    assert not Scratch.of(settings, event.id).folder.exists()


def test_children_of_what_ends_badly_are_ended():
    with pytest.raises(CancelledByPeople), no_children_left():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        report = watched(silent, "churn", lambda: None, lambda: False)
        report(0.1, "goes on")
        raise CancelledByPeople("a", "b", "c")

    child.wait(10)
    assert not psutil.pid_exists(child.pid) or child.returncode is not None


class Killed(BaseException):
    """As a process ends that is killed: nothing is written afterwards."""


def test_a_killed_attempt_is_taken_up_by_the_next_one_with_its_rows_and_its_choice(
    make_shop, registry, settings, monkeypatch
):
    read, decided = [], []
    true_fit, true_tune = stages.fit_and_score, stages.tune

    def once():
        read.append(1)
        return make_frame(600)

    def die(*_):
        raise Killed

    monkeypatch.setattr(stages, "tune", lambda *args: (decided.append(1), true_tune(*args))[1])
    with monkeypatch.context() as dying:
        dying.setattr(stages, "fit_and_score", die)
        dying.setattr("flows.training.retraining._record_failure", lambda *_: None)
        with pytest.raises(Killed):
            run_retraining(make_shop(once, QUICK), actor="ann")
    monkeypatch.setattr(stages, "fit_and_score", true_fit)

    done = run_retraining(make_shop(once, QUICK), actor="bob")

    (event,) = registry.retraining_events("churn")
    assert (done.outcome, done.event.id, len(read), len(decided)) == ("installed", event.id, 1, 1)
    assert not Scratch.of(settings, event.id).folder.exists()


def test_another_configuration_begins_from_the_start(settings):
    scratch = Scratch.of(settings, "retrain_20260301_001")
    scratch.begin("one", NOW)
    (scratch.folder / "entries.json").write_text("[]")

    again, other = scratch.begin("one", NOW + timedelta(hours=2)), scratch.begin("two", NOW + timedelta(hours=2))

    assert (again.as_of, other.as_of) == (NOW, NOW + timedelta(hours=2))
    assert not (scratch.folder / "entries.json").exists()


def test_a_polite_process_comes_last_for_cores_and_disk_and_spins_no_thread():
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP", "GOMP"))}
    done = subprocess.run([sys.executable, "-c", POLITE], capture_output=True, text=True, env=env, check=True)

    assert json.loads(done.stdout) == [10, int(psutil.IOPRIO_CLASS_IDLE), "0", "1"]


def test_who_listens_hears_what_is_reported_inside():
    told = []
    with listening(lambda share, doing: told.append((share, doing))):
        heard(0.5, "tune")
    heard(0.6, "later")

    assert told == [(0.5, "tune")]
    assert Outlook(iter([0.0, 30.0]).__next__).left(0.25) == 90.0
