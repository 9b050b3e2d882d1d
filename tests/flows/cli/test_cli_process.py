"""What only a process of its own shows: signals, pipes, a full disk, another folder."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from cli_making import furnish

LINE = '{"salt": "s", "key": "k", "slices": [["champion", 1]]}\n'
UNDERSTUDY = [sys.executable, "-W", "ignore", "-m", "flows.cli.main"]


def started(*words, **more):
    return subprocess.Popen(
        [*UNDERSTUDY, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def test_a_refusal_is_three_lines_on_standard_error_and_code_2():
    done = subprocess.run([*UNDERSTUDY, "traffic", "show", "nobody"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["There", "Why:", "Mend:"]


def test_ctrl_c_ends_a_command_quietly_with_130():
    with started("assign", "--ndjson", "-") as running:
        running.stdin.write(LINE)
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["variant"] == "champion"
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)

    assert running.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [("audit", "list", "--json"), ("audit", "list"), ("models", "list", "--json")])
def test_a_reader_that_has_gone_is_no_failure(words):
    furnish(*(f"v1.{n}.0" for n in range(1, 40)))
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*UNDERSTUDY, *words], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_stops_in_the_middle_is_no_failure(tmp_path):
    lines = tmp_path / "lines.ndjson"
    lines.write_text(LINE * 20_000)
    with started("assign", "--ndjson", str(lines)) as running:
        running.stdout.readline()
        running.stdout.close()
        said = running.stderr.read()

    assert (running.returncode, said) == (0, "")


def test_refusing_to_nobody_still_tells_by_the_exit_code():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*UNDERSTUDY, "traffic", "show", "nobody"], stderr=write, stdout=subprocess.PIPE, check=False)
    os.close(write)

    assert (done.returncode, done.stdout) == (2, b"")


def test_ctrl_c_while_everything_loads_is_quiet_too():
    code = "import os, signal, sys; from flows.cli.main import main; "
    code += "sys.meta_path.insert(0, type('Finder', (), {'find_spec': "
    code += "staticmethod(lambda *_: os.kill(os.getpid(), signal.SIGINT))})); sys.exit(main(['status']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")  # noqa: PTH110
def test_a_disk_that_is_full_is_a_failure_in_words():
    furnish()
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*UNDERSTUDY, "models", "list", "--json"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_refusals_load_neither_prefect_nor_bentoml():
    began = time.monotonic()
    code = "import sys; from flows.cli.main import main; main(['plan', 'show', 'x']); "
    code += "print([m for m in ('prefect', 'bentoml', 'polars', 'sklearn', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "[]"
    assert time.monotonic() - began < 20
