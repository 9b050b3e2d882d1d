import configparser
import shlex
import sys
from pathlib import Path

from flows.ops.environment import process_environment
from flows.ops.watchers import circus_ini, own_server, socket_dir, watchers
from registry.home import Settings


def read(settings):
    parser = configparser.RawConfigParser()
    parser.read_string(circus_ini(settings))
    return parser


def test_every_process_of_the_system_is_watched_and_run_by_our_own_interpreter(tmp_path):
    parser = read(Settings(home=tmp_path))
    names = [section.removeprefix("watcher:") for section in parser.sections() if section.startswith("watcher:")]

    assert names == ["prefect-server", "prefect-worker", "router", "control", "shadow"]
    for name in names:
        words = shlex.split(parser[f"watcher:{name}"]["cmd"])
        assert words[0] == words[words.index("--") + 1] == sys.executable


def test_a_folder_with_blanks_survives(tmp_path):
    home = tmp_path / "my state"
    words = shlex.split(read(Settings(home=home))["watcher:shadow"]["cmd"])

    assert str(home / "run") in words


def test_the_configuration_holds_no_secret_and_opens_no_port(tmp_path):
    text = circus_ini(Settings(home=tmp_path, admin_token="s3cret"))

    assert "s3cret" not in text
    assert "tcp://" not in text
    assert "multicast_endpoint =\n" in text


def test_the_supervisors_socket_fits_into_what_the_kernel_takes(tmp_path):
    deep = Settings(home=tmp_path / ("d" * 90))

    assert len(str(socket_dir(deep) / "circus-events.sock")) <= 107
    assert socket_dir(deep) != socket_dir(Settings(home=tmp_path / ("e" * 90)))


def test_the_worker_waits_for_the_server():
    by_name = {watcher.name: watcher for watcher in watchers(Settings(prefect_port=4299))}

    assert by_name["prefect-worker"].after == by_name["prefect-server"].health == "http://127.0.0.1:4299/api/health"


def test_a_foreign_prefect_server_is_not_started(monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example.org/api")

    assert not own_server(Settings())
    assert "prefect-server" not in [watcher.name for watcher in watchers(Settings())]


def test_the_number_of_router_workers_is_handed_on():
    settings = Settings(router_workers=3)
    router = next(watcher for watcher in watchers(settings) if watcher.name == "router")

    assert router.command[1:] == ("-m", "router.serve")
    assert Path(router.command[0]) == Path(sys.executable)
    assert process_environment(settings)["UNDERSTUDY_ROUTER_WORKERS"] == "3"
