"""A replay whose system is killed, and which is interrupted itself, ends with the same bookkeeping."""

import json
import signal
import time
from datetime import UTC, datetime

import pytest
from e2e_commands import Place
from waiting import until

from flows.demo.leads import leads
from flows.demo.show import CONFIG

pytestmark = [pytest.mark.timeout(900)]
ROWS = 3000
REPLAY = ("--first", "0.2", "--batch", "12h", "--json")


@pytest.fixture
def place(tmp_path):
    place = Place.under(tmp_path)
    yield place
    place.run("down", seconds=120)
    assert place.processes() == []


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "leads.parquet"
    leads(ROWS, seed=3, end=datetime(2026, 3, 1, tzinfo=UTC)).write_parquet(path)
    return path


def begun(place, table, tmp_path, until_said=f" of {ROWS - ROWS // 5} rows"):
    replay = place.start("replay", str(CONFIG), "--source", str(table), *REPLAY, output=tmp_path / "replay.json")
    log = tmp_path / "replay.err"
    until(lambda: until_said in log.read_text() or replay.poll() is not None, 240)
    assert replay.poll() is None, log.read_text()
    return replay


def exact(printed):
    summary = json.loads(printed)
    assert [line for line in summary["books"] if line["expected"] != pytest.approx(line["found"], rel=1e-9)] == []
    return summary


@pytest.mark.e2e
def test_killing_router_worker_and_server_loses_nothing(place, table, tmp_path):
    replay = begun(place, table, tmp_path)
    killed = []
    for words in (("router.serve",), ("prefect", "worker"), ("prefect", "server")):
        until(lambda words=words: place.processes(*words), 60)
        killed.append(place.kill(*words))
        time.sleep(4)

    assert replay.wait(600) == 0, (tmp_path / "replay.err").read_text()
    assert min(killed) >= 1
    assert exact((tmp_path / "replay.json").read_text())["rows"] == ROWS - ROWS // 5


@pytest.mark.e2e
@pytest.mark.parametrize("said", ["training the first champion", f" of {ROWS - ROWS // 5} rows"])
def test_an_interrupted_replay_goes_on_where_it_was(place, table, tmp_path, said):
    replay = begun(place, table, tmp_path, said)
    replay.send_signal(signal.SIGINT)
    assert replay.wait(60) == 130
    assert "--resume" in (tmp_path / "replay.err").read_text()

    done = place.run("replay", str(CONFIG), "--source", str(table), *REPLAY, "--resume", seconds=600)

    assert done.returncode == 0, done.stderr
    assert exact(done.stdout)["rows"] == ROWS - ROWS // 5
