import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from hypothesis import given
from hypothesis import strategies as st

from flows.ops.keep import STOPPING, pause_after, starts_of
from flows.ops.ports import free_port


def keep(folder, name, *command, after=""):
    log = folder / f"{name}.log"
    words = [sys.executable, "-m", "flows.ops.keep", name, str(folder), str(log), after, "--", *command]
    return subprocess.Popen(words), log


def shout(word):
    return (sys.executable, "-c", f"import os; print({word!r}, os.getpid(), flush=True)")


def test_it_becomes_the_process_and_writes_its_book_and_its_log(tmp_path):
    process, log = keep(tmp_path, "loud", *shout("hello"))

    assert process.wait(20) == 0
    assert log.read_text() == f"hello {process.pid}\n"
    assert json.loads((tmp_path / "loud.json").read_text())["pid"] == process.pid
    assert len(starts_of(tmp_path / "loud.json")) == 1


def test_it_waits_for_the_address_it_depends_on(tmp_path):
    port = free_port()
    process, log = keep(tmp_path, "late", *shout("at last"), after=f"http://127.0.0.1:{port}/")
    time.sleep(1)
    assert process.poll() is None

    class Fine(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", port), Fine) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        assert process.wait(20) == 0
        server.shutdown()
        thread.join()
    assert "at last" in log.read_text()


def test_it_does_not_start_while_everything_is_being_stopped(tmp_path):
    (tmp_path / STOPPING).touch()
    process, log = keep(tmp_path, "held", *shout("never"))
    time.sleep(0.7)

    assert process.poll() is None
    process.terminate()
    process.wait(20)
    assert log.read_text() == ""


def test_a_large_log_is_put_aside(tmp_path):
    (tmp_path / "big.log").write_bytes(b"x" * 10_000_001)
    process, log = keep(tmp_path, "big", *shout("new"))

    assert process.wait(20) == 0
    assert log.read_text().startswith("new")
    assert (tmp_path / "big.1.log").stat().st_size == 10_000_001


def test_a_torn_book_is_an_empty_one(tmp_path):
    (tmp_path / "torn.json").write_text('{"pid": 1, "sta')

    assert starts_of(tmp_path / "torn.json") == []


@given(n=st.integers(0, 60))
def test_three_deaths_in_a_minute_are_forgiven_and_more_wait_ever_longer_but_not_for_ever(n):
    pause = pause_after([0.0] * n, 1.0)

    assert (pause == 0) == (n < 4)
    assert pause <= pause_after([0.0] * (n + 1), 1.0) <= 30


def test_old_deaths_are_forgotten():
    assert pause_after([0.0] * 50, 61.0) == 0
