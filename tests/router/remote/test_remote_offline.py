"""Comparisons score remote and local versions by one call."""

import pytest
from router_live import spec
from upstream_making import remote_version, truth

from registry.errors import RegistryError
from registry.records.upstream import Upstream
from registry.scoring.scorer import Scorer, scorer_files
from registry.upstream.scoring import MOST_ROWS, offline_scorer


def files_of(served):
    return {"upstream.json": Upstream(url=f"{served.url}/score", protocol="json").to_json()}


def test_a_table_is_asked_about_in_parts(served):
    rows = [{"x": n / 100, "c": "a", "other": 1} for n in range(MOST_ROWS + 10)]

    scores = offline_scorer(remote_version(), files_of(served)).score(rows)

    assert scores == pytest.approx([truth(row) for row in rows])
    assert [len(asked["instances"]) for asked in served.asked] == [MOST_ROWS, 10]


def test_no_rows_ask_nobody(served):
    assert offline_scorer(remote_version(), files_of(served)).score([]).shape == (0,)
    assert served.asked == []


def test_a_server_in_trouble_is_a_failure_and_no_number(served):
    served.mood = "500"

    with pytest.raises(RegistryError, match="upstream_5xx"):
        offline_scorer(remote_version(), files_of(served)).score([{"x": 1.0, "c": "a"}])


def test_a_local_version_is_scored_by_its_own_files():
    assert isinstance(offline_scorer(remote_version(), scorer_files(spec(1.0), None)), Scorer)
