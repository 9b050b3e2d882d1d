"""Servers that do not answer, folders that cannot be written, ports that are taken."""

import http.server
import socket
import threading
from pathlib import Path

import pytest
from cli_making import CHURN, tree

from registry.home import Settings

WHY = ("--reason", "because")


@pytest.mark.parametrize(
    "words",
    [
        ("check", "churn"),
        ("drift", "churn"),
        ("compare", "churn", "--challenger", "v1.1.0"),
        ("train", "churn"),
        ("watch", "churn", "--once"),
        ("watch", "churn", "--json"),
    ],
    ids=" ".join,
)
def test_a_server_that_does_not_run_is_named_with_the_command_that_starts_it(furnished, monkeypatch, words):
    from registry.artifacts import ArtifactStore

    monkeypatch.setattr(ArtifactStore, "load", lambda *_: {"reference.json": b'{"rows": 1}'})
    said = furnished(*words).refused(3)

    assert "does not answer." in said
    assert "http://127.0.0.1:" in said
    assert "`understudy up`" in said


@pytest.mark.parametrize(
    "words",
    [
        ("models", "list", "churn"),
        ("models", "show", "churn", "v1.0.0"),
        ("traffic", "show", "churn"),
        ("traffic", "history", "churn"),
        ("traffic", "preview", "churn", "key"),
        ("assign", "churn", "key"),
        ("events",),
        ("events", "week"),
        ("events", "frequency", "churn"),
        ("events", "improvements"),
        ("history", "churn"),
        ("history", "churn", "--prune", "--keep", "1y", "--dry-run"),
        ("audit", "list"),
        ("audit", "verify"),
        ("decision", "list"),
        ("incidents",),
        ("rollout", "status"),
        ("rollout", "status", "churn"),
        ("rollout", "history"),
        ("rollout", "tick", "churn"),
        ("promote", "churn", "v1.1.0", *WHY, "--dry-run"),
        ("rollout", "start", "churn", "--dry-run", *WHY),
        ("rollout", "start", "churn", "v1.1.0", *WHY),
    ],
    ids=" ".join,
)
def test_what_needs_no_server_works_without_one_for_people_and_programs(furnished, words):
    shown = furnished(*words, "--json")
    repeated = () if words[:2] == ("rollout", "start") and "--dry-run" not in words else words

    assert (shown.code, shown.err) == (0, "")
    assert isinstance(shown.json, list | dict)
    assert not repeated or furnished(*repeated).code == 0


def test_status_and_down_of_nothing_are_answers(understudy):
    status, down = understudy("status", "--json"), understudy("down", "--json")

    assert (status.code, down.code) == (1, 0)
    assert status.json["up"] is False
    assert {one["health"] for one in down.json["processes"]} == {"down"}
    assert "nothing was running" in down.err


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("up",),
        ("down",),
        ("models",),
        ("init", "churn.yaml"),
        ("assign", "churn", "k"),
        ("demo", "--exit"),
    ],
    ids=" ".join,
)
def test_a_state_folder_that_cannot_be_used_is_the_systems_fault(understudy, monkeypatch, tmp_path, words):
    Path("churn.yaml").write_text(CHURN)
    monkeypatch.setenv("UNDERSTUDY_HOME", str(tmp_path / "churn.yaml" / "home"))
    said = understudy(*words).refused(3)

    assert "churn.yaml/home cannot be used." in said
    assert "Not a directory" in said
    assert "Set UNDERSTUDY_HOME" in said


@pytest.mark.parametrize("part", ["run", "logs", "configs", "prefect"])
def test_a_part_of_the_state_folder_that_cannot_be_written_is_named_before_anything_starts(
    understudy, monkeypatch, part
):
    import os

    understudy("models")
    folder = Settings().home / part
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder and allowed(path, mode))
    said = understudy("up").refused(3)

    assert f"{folder}: Permission denied." in said
    assert "starting" not in said


@pytest.mark.parametrize("content", [b"no database at all" * 99, None], ids=["foreign", "torn"])
def test_a_damaged_registry_is_the_systems_fault_and_a_backup_mends_it(furnished, content):
    file = Settings().registry_file
    for beside in file.parent.glob("registry.sqlite-*"):
        beside.unlink()
    file.write_bytes(content or file.read_bytes()[:5000])
    before = tree()

    for words in (("models",), ("traffic", "show", "churn"), ("promote", "churn", "v1.1.0", *WHY)):
        said = furnished(*words).refused(3)

        assert "registry.sqlite cannot be used; nothing was changed." in said
        assert "backup" in said
    assert tree() == before


def test_a_rollback_that_neither_registry_nor_router_can_do_names_both(furnished):
    Settings().registry_file.write_bytes(b"no database at all" * 99)
    said = furnished("rollback", "churn", *WHY).refused(3)

    assert "churn was not rolled back: neither the registry nor the router can be used." in said
    assert "not a database" in said
    assert "http://127.0.0.1:" in said
    assert "`understudy up`" in said


@pytest.mark.parametrize(
    ("health", "more", "code"), [("healthy", (), 0), ("degraded", (), 1), ("degraded", ("--no-wait",), 0)]
)
def test_up_tells_by_its_exit_code_whether_everything_is_well(understudy, monkeypatch, health, more, code):
    import flows.ops.up
    from flows.ops.health import ProcessStatus, SystemStatus

    one = ProcessStatus(name="router", health=health, pid=1, restarts=0, uptime_s=1.0, address="", log="")
    found = SystemStatus(up=True, supervisor=1, processes=(one,), addresses={})
    monkeypatch.setattr(flows.ops.up, "up", lambda *_, **__: found)
    answer = understudy("up", "--json", *more)

    assert answer.code == code
    assert answer.json["processes"][0]["health"] == health


def test_the_doctor_examines_a_state_folder_that_cannot_be_used(understudy, monkeypatch, tmp_path):
    import flows.ops.doctor as room

    monkeypatch.setattr(room, "_prefect_server", lambda _: room.Check(name="server", passed=True, said=""))
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNDERSTUDY_HOME", str(tmp_path / "file" / "home"))
    answer = understudy("doctor", "--json")
    found = {one["name"]: one for one in answer.json}

    assert answer.code == 1
    assert not found["state folder"]["passed"]
    assert "Set UNDERSTUDY_HOME" in found["state folder"]["mend"]
    assert found["python"]["passed"]


def test_every_variable_that_cannot_be_right_is_named_with_its_value(understudy, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_ROUTER_PORT", "x")
    monkeypatch.setenv("UNDERSTUDY_ROUTER_WORKERS", "0")
    said = understudy("status").refused()

    assert "UNDERSTUDY_ROUTER_PORT should be a valid integer" in said
    assert "(given: 'x')" in said
    assert "UNDERSTUDY_ROUTER_WORKERS should be greater than or equal to 1 (given: '0')" in said


def test_an_empty_variable_is_none_and_a_relative_folder_is_the_same_from_everywhere(monkeypatch, tmp_path):
    monkeypatch.setenv("UNDERSTUDY_HOME", "")
    assert Settings().home == Path.home() / ".understudy"

    monkeypatch.setenv("UNDERSTUDY_HOME", "here")
    assert Settings().home == tmp_path / "here"

    monkeypatch.setenv("UNDERSTUDY_HOME", "~/there")
    assert Settings().home == Path.home() / "there"


@pytest.mark.parametrize("url", ["nonsense", "postgresql+nothing://x", "sqlite:////proc/none/x.sqlite"])
def test_a_database_that_cannot_be_used_is_the_systems_fault(understudy, monkeypatch, url):
    monkeypatch.setenv("UNDERSTUDY_DATABASE_URL", url)

    assert "UNDERSTUDY_DATABASE_URL" in understudy("models").refused(3)


@pytest.mark.parametrize("words", [("up",), ("up", "--json"), ("demo", "--exit")], ids=" ".join)
def test_a_port_that_is_taken_is_named_before_anything_starts(understudy, monkeypatch, words):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("UNDERSTUDY_ADMIN_PORT", str(port))
        said = understudy(*words).refused(3)

    assert f"port {port} on 127.0.0.1 is held by" in said
    assert "export UNDERSTUDY_ADMIN_PORT=" in said
    assert set(tree()) <= {".writable", "admin-token", "run/ops.lock"}


def test_one_port_for_two_servers_is_mended_by_another_port_alone(understudy, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_ADMIN_PORT", str(Settings().router_port))
    said = understudy("up").refused(3)

    assert "is wanted by UNDERSTUDY_ROUTER_PORT and UNDERSTUDY_ADMIN_PORT" in said
    assert "Mend: Choose another port" in said


def test_another_program_on_the_routers_port_is_not_taken_for_the_router(furnished, monkeypatch):
    class Page(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("UNDERSTUDY_ADMIN_PORT", str(server.server_address[1]))
        said = furnished("watch", "churn", "--once").refused(3)
        server.shutdown()
        thread.join()

    assert "is not the router" in said
    assert "<html" not in said


def test_a_demo_too_short_to_show_anything_starts_nothing(understudy):
    assert "Use at least 5000" in understudy("demo", "--rows", "10").refused()


def test_something_unexpected_is_told_in_a_line_and_raised_for_those_who_debug(understudy, monkeypatch):
    from flows.cli import models

    def broken(*_):
        raise RuntimeError("out of order")

    monkeypatch.setattr(models, "print_json", broken)

    answer = understudy("models", "list", "--json")

    assert answer.code == 3
    assert "RuntimeError: out of order" in answer.err
    assert "Traceback" not in answer.err
    monkeypatch.setenv("UNDERSTUDY_DEBUG", "1")
    with pytest.raises(RuntimeError):
        understudy("models", "list", "--json")


def test_a_full_disk_is_told_as_what_it_is(understudy, monkeypatch):
    from flows.cli import models

    def full(*_):
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr(models, "print_json", full)

    assert "No space left on device: /somewhere" in understudy("models", "list", "--json").refused(3)
