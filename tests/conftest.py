"""Every test gets a state folder and a home of its own; nothing phones anywhere."""

import functools
import gc
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import typer
from hypothesis import settings

settings.register_profile("thorough", deadline=None)  # a busy machine is no mistake of ours
settings.register_profile("understudy", settings.get_profile("thorough"), max_examples=40)
settings.load_profile("understudy")  # --hypothesis-profile=thorough: 100 examples, where a law names no number
for name, value in {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "OMP_NUM_THREADS": "1",
    "BENTOML_DO_NOT_TRACK": "true",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MPLBACKEND": "agg",
}.items():
    os.environ.setdefault(name, value)
os.environ.pop("PYTHONUNBUFFERED", None)  # users have buffers
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # nor does every process of theirs compile all its source anew
sys.dont_write_bytecode = False
gc.disable()  # until all is collected: some hundred thousand objects that stay


def pytest_collection_finish() -> None:
    gc.freeze()  # no collection in a test looks through them again
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Tests hold no examples: whoever searches them for some reads each a second time."""
    found = yield
    return [one for one in found if type(one) is pytest.Module]


@pytest.fixture(autouse=True, scope="module")
def _tables_at_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Only the tests of the registry itself see every migration at work."""
    from ready_tables import ready_tables

    if Path("registry") in request.path.relative_to(Path(__file__).parent).parents:
        yield
    else:
        with ready_tables():
            yield


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("UNDERSTUDY_") and name != "UNDERSTUDY_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UNDERSTUDY_HOME", str(home / "state"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("UNDERSTUDY_TRACKING_SEND", "later")  # no sender outlives a test
    monkeypatch.setenv("UNDERSTUDY_NOTIFY_SEND", "later")


@pytest.fixture(autouse=True, scope="session")
def _commands_built_once() -> Iterator[None]:
    """Typer makes the tree of commands of the same functions whenever it is called."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield
