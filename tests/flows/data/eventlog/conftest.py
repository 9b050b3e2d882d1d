"""An event log with three tables."""

import pytest
from log_making import write

from flows.data.eventlog.lake import Lake


@pytest.fixture
def events(tmp_path):
    return tmp_path / "events"


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def written(events):
    return write(events)
