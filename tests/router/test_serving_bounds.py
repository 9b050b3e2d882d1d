"""What a worker does within its bounds, and what keeps the service from starting."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from router_making import Constant, Raises, snapshot_of, version_of

from registry.home import Settings
from registry.records.version import Feature
from router.operations import memory
from router.operations.memory import Ceiling, resident_mb
from router.operations.selfcheck import probe_row, self_check
from router.operations.settings import ServeSettings

ROOT = Path(__file__).parents[2]


def serve(settings: Settings, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "router.serve"],
        env={
            **os.environ,
            "UNDERSTUDY_HOME": str(settings.home),
            "UNDERSTUDY_ROUTER_PORT": str(settings.router_port),
            **environ,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_port_that_is_taken_is_refused_before_anything_starts(settings: Settings):
    with closing(socket.create_server(("127.0.0.1", settings.router_port))):
        done = serve(settings)

    assert done.returncode == 2
    assert f"127.0.0.1:{settings.router_port}: Address already in use" in done.stderr
    assert "set UNDERSTUDY_ROUTER_PORT" in done.stderr


def test_a_public_address_needs_a_token_that_somebody_chose(settings: Settings):
    done = serve(settings, UNDERSTUDY_HOST="0.0.0.0")

    assert done.returncode == 2
    assert "UNDERSTUDY_HOST is 0.0.0.0" in done.stderr
    assert "UNDERSTUDY_ADMIN_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_folder_that_cannot_be_made_is_refused(settings: Settings, tmp_path: Path):
    (tmp_path / "file").touch()
    done = serve(settings, UNDERSTUDY_HOME=str(tmp_path / "file"))

    assert done.returncode == 3
    assert f"{tmp_path / 'file'}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_knows_how_much_memory_it_takes():
    before = resident_mb()
    block = bytearray(64 << 20)

    assert 50 < resident_mb() - before < 80
    del block


async def told_to_leave(ceiling: Ceiling, monkeypatch: pytest.MonkeyPatch, sizes: list[float]) -> list[int]:
    told: list[int] = []
    monkeypatch.setattr(memory, "_EVERY_S", 0.001)
    monkeypatch.setattr(memory, "resident_mb", lambda: sizes.pop(0) if len(sizes) > 1 else sizes[0])
    monkeypatch.setattr(memory.os, "kill", lambda _pid, signum: told.append(signum))
    try:
        async with asyncio.timeout(0.2):
            await ceiling.watch()
    except TimeoutError:
        pass
    return told


def test_a_worker_above_its_ceiling_asks_itself_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ceiling = Ceiling(tmp_path, ServeSettings(worker_memory_mb=100))

    assert asyncio.run(told_to_leave(ceiling, monkeypatch, [50, 60, 101])) == [signal.SIGTERM]


@pytest.mark.parametrize(("most", "sizes"), [(100, [50, 99.9]), (0, [1e6]), (100, [150])])
def test_a_worker_stays_below_it_without_one_and_where_a_fresh_one_is_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, sizes: list[float]
):
    ceiling = Ceiling(tmp_path, ServeSettings(worker_memory_mb=most))

    assert asyncio.run(told_to_leave(ceiling, monkeypatch, sizes)) == []


def test_only_one_leaves_at_a_time_and_the_next_only_after_a_rest(tmp_path: Path):
    code = (
        "import sys, pathlib; from router.operations.memory import Ceiling;"
        "from router.operations.settings import ServeSettings;"
        "print(Ceiling(pathlib.Path(sys.argv[1]), ServeSettings()).may_leave(), flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as leaving:
        assert leaving.stdout.readline() == b"True\n"
        hasty, patient = (Ceiling(tmp_path, ServeSettings(worker_rest_s=rest)) for rest in (0, 60))
        assert not hasty.may_leave(), "the other one has not gone yet"
        leaving.kill()
    assert not patient.may_leave(), "its successor is not there yet"
    assert hasty.may_leave()


def test_a_worker_that_is_well_says_so(settings: Settings, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "understudy")

    assert self_check(settings, {"m": snapshot_of(Constant(0.3))}) == {}
    assert "checked itself: m (epoch 2); 0 troubles" in caplog.text


def test_a_model_that_fails_at_its_first_row_is_named_before_a_caller_finds_out(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    found = self_check(settings, {"m": snapshot_of(Raises(0.0))})

    assert found == {"m v1.1.0": "it does not answer a probe row: RuntimeError: no such tree"}
    assert "m v1.1.0: it does not answer" in caplog.text


def test_a_worker_without_a_plan_says_what_to_do(settings: Settings):
    assert self_check(settings, {}) == {"plans": "there is none; train a model: `understudy train`"}


def test_a_probe_row_has_a_value_for_every_feature():
    features = (Feature(name="x", kind="numeric"), Feature(name="c", kind="categorical", levels=("a", "b")))

    assert probe_row((*features, *version_of("v1.0.0").features[1:])) == {"x": 0.0, "c": "a"}
