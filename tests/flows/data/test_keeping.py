import resource

import numpy as np
import polars as pl
import pytest

from flows.data.keeping import keep
from registry.errors import StoreUnavailable

TABLE = pl.DataFrame({"a": np.arange(5.0)})


@pytest.fixture
def little_room():
    """No file of this process may grow beyond 4 kB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_table_is_kept_for_its_owner_alone(tmp_path):
    file = keep(TABLE, tmp_path / "deep" / "t.parquet", what="Nothing.", metadata={"of": "tests"})

    assert pl.read_parquet(file).equals(TABLE)
    assert pl.read_parquet_metadata(file)["of"] == "tests"
    assert file.stat().st_mode & 0o777 == 0o600


def test_on_a_full_disk_the_earlier_table_stays_and_nothing_half_is_left(tmp_path, little_room):
    file = keep(TABLE, tmp_path / "t.parquet", what="Nothing.")
    large = pl.DataFrame({"a": np.random.default_rng(0).normal(size=100_000)})

    with pytest.raises(StoreUnavailable, match="The table was not kept") as refused:
        keep(large, file, what="The table was not kept.")
    assert pl.read_parquet(file).equals(TABLE)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    assert refused.value.exit_code == 3
