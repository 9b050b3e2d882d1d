import pytest
from wire_making import Served


@pytest.fixture
def served(tmp_path):
    running = Served(tmp_path)
    yield running
    running.stop()
