"""Campaigns against real sender processes: killed in the middle, a thousand at once, a whole day of trouble."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
]


@pytest.fixture
def sender(where):
    """Start sender processes, as a flow does."""
    started = []

    def start():
        environ = os.environ | {"UNDERSTUDY_HOME": str(where.home)}
        environ.pop("UNDERSTUDY_NOTIFY_SEND", None)
        process = subprocess.Popen([sys.executable, "-m", "flows.notify.sender"], env=environ)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(condition, seconds, pause=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(pause)
    return condition()


def test_a_sender_killed_fifty_times_loses_nothing(where, registry, receiver, told_to, waiting, sender, capsys):
    receiver.hangs = 0.01
    told_to(f"json://127.0.0.1:{receiver.port}")
    keys = [f"n{number:05d}" for number in range(900)]
    waiting(*keys)
    dice = random.Random(7)
    kills = 0

    while kills < 50:
        before = receiver.tries
        process = sender()
        assert until(lambda before=before: receiver.tries > before + 1, 60), "it sends nothing"
        time.sleep(dice.uniform(0, 0.2))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        if all(one.status == "sent" for one in registry.notices()):
            waiting(*[f"m{kills:02d}{number:05d}" for number in range(200)])
    last = sender()
    assert until(lambda: all(one.status == "sent" for one in registry.notices()), 240, pause=1.0)
    last.kill()

    counts = Counter(receiver.titles)
    wanted = {one.key for one in registry.notices()}
    repeated = sum(count - 1 for count in counts.values())
    with capsys.disabled():
        print(f"\n{kills} kills, {len(wanted)} notices, lost {len(wanted - set(counts))}, repeated {repeated}")
    assert set(counts) == wanted
    assert repeated <= kills


def test_a_thousand_at_once_arrive_once_each(where, registry, receiver, told_to, waiting, sender, capsys):
    told_to(f"json://127.0.0.1:{receiver.port}")
    keys = [f"n{number:04d}" for number in range(1000)]
    waiting(*keys)
    began = time.monotonic()

    sender()

    assert until(lambda: len(receiver.heard) >= 1000, 120)
    time.sleep(0.5)
    with capsys.disabled():
        print(f"\n1000 notices in {time.monotonic() - began:.1f} s")
    assert receiver.titles == keys


def test_a_flow_starts_a_sender_and_goes_on(where, registry, receiver, told_to, waiting, monkeypatch, capsys):
    from flows.notify import forward

    monkeypatch.delenv("UNDERSTUDY_NOTIFY_SEND")
    receiver.answers += [500, 500]
    told_to(f"json://127.0.0.1:{receiver.port}")
    waiting("one")
    began = time.monotonic()

    forward(where, registry)
    took = time.monotonic() - began

    assert until(lambda: receiver.titles == ["one"], 120)
    with capsys.disabled():
        print(f"\nthe flow went on after {took * 1000:.0f} ms")
        print(f"it arrived after {time.monotonic() - began:.1f} s and 2 refusals")
    assert took < 1
    assert receiver.tries == 3
    pid = int((where.run_dir / "notify-sender.lock").read_text())
    os.kill(pid, signal.SIGTERM)
