"""A model server that every test finds in a good mood."""

from collections.abc import Iterator

import pytest
from upstream_making import Served


@pytest.fixture(scope="module")
def _server() -> Iterator[Served]:
    with Served() as running:
        yield running


@pytest.fixture
def served(_server: Served) -> Served:
    _server.mood = "good"
    _server.asked.clear()
    _server.headers.clear()
    return _server
