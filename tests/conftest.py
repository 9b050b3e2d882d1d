"""Every test gets a state folder and a home of its own; nothing phones anywhere."""

import os

import pytest
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
collect_ignore_glob = ["*conftest.py"]  # of several, only one could be imported in search of examples
os.environ.pop("PYTHONUNBUFFERED", None)  # users have buffers


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("UNDERSTUDY_") and name != "UNDERSTUDY_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UNDERSTUDY_HOME", str(home / "state"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("UNDERSTUDY_TRACKING_SEND", "later")  # no sender outlives a test
    monkeypatch.setenv("UNDERSTUDY_NOTIFY_SEND", "later")
