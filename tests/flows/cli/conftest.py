import socket

import pytest
from cli_making import Terminal, furnish


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """A folder of its own, and ports that nobody listens on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for name in ("ROUTER", "ADMIN", "PREFECT"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            monkeypatch.setenv(f"UNDERSTUDY_{name}_PORT", str(probe.getsockname()[1]))


@pytest.fixture
def understudy(capsys):
    return Terminal(capsys)


@pytest.fixture
def furnished(understudy):
    """With a model `churn`: champion v1.0.0 and challenger v1.1.0."""
    furnish("v1.1.0")
    return understudy


@pytest.fixture
def control(furnished):
    """The admin port of the furnished state folder."""
    from live_making import Control

    running = Control()
    running.start()
    yield running
    running.stop()
