"""From a table to a version, and back: the record of a version finds the rows it was made from."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from data_making import make_config

from flows.data.contract.records import CONTRACT_FILE, Contract
from flows.data.gather import extract, quarantine_file
from flows.errors import DataError
from flows.training.retraining import run_retraining
from flows.training.shop import Shop
from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.store.registry import Registry

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=90)


def sales(rows, start=0):
    dice = np.random.default_rng(start)
    age = dice.integers(18, 90, rows).astype(float)
    return pl.DataFrame(
        {
            "who": [f"c{n}" for n in range(start, start + rows)],
            "ts": [START + timedelta(hours=n) for n in range(start, start + rows)],
            "age": age,
            "plan": dice.choice(["basic", "gold"], rows),
            "left": (age + dice.normal(0, 10, rows) > 50).astype(int),
        }
    )


@pytest.fixture
def make(client, settings, tmp_path):
    """A retraining in a state folder of its own, with the router's log of the fixture."""
    opened = []

    def retrain(name, source):
        home = Settings(home=tmp_path / name, admin_token="s3cret").prepare()
        config = make_config(
            data={"source": source, "time": "ts", "key": "who"},
            training={"trials": 0, "families": ["linear"], "min_rows": 200, "window": None},
            promotion={"require_approval": False, "min_holdout": 50},
            validation={"enabled": False},
            tracking={"enabled": False},
        )
        registry = Registry.open(home.registry_url)
        opened.append(registry)
        shop = Shop(
            config=config,
            settings=home,
            registry=registry,
            artifacts=ArtifactStore(home.models_dir),
            extract=lambda contract, as_of: extract(config, home, client, contract=contract, as_of=as_of),
            clock=lambda: NOW,
        )
        return shop, run_retraining(shop, actor="test")

    yield retrain
    for registry in opened:
        registry.close()


def test_the_version_of_the_data_that_a_version_names_gives_the_same_model_again(make, tmp_path):
    table = str(tmp_path / "sales")
    sales(600).write_delta(table)
    _, first = make("one", table)
    sales(300, start=600).write_delta(table, mode="append")
    _, later = make("two", table)
    _, again = make("three", f"{table}@{first.version.data.version}")

    assert (first.version.data.version, later.version.data.version) == ("0", "1")
    assert (first.version.data.rows, later.version.data.rows) == (600, 900)
    assert again.version.data == first.version.data
    assert again.version.metrics == first.version.metrics


def test_the_contract_of_the_champion_holds_for_its_challenger(make, tmp_path):
    table = str(tmp_path / "sales")
    sales(600).write_delta(table)
    shop, first = make("one", table)
    broken = sales(300, start=600).with_columns(
        pl.when(pl.col("who").is_in(["c700", "c710"])).then(-5.0).otherwise("age").alias("age")
    )
    broken.write_delta(table, mode="append")
    _, second = make("one", table)

    files = shop.artifacts.load("churn", "v1.0.0", first.version.artifact_digest)
    aside = pl.read_parquet(quarantine_file(shop.settings, "churn", second.event.id))
    assert Contract.from_json(files[CONTRACT_FILE]).numbers[0].floor
    assert aside["_key"].to_list() == ["c700", "c710"]
    assert second.version.data.rows == 898


def test_a_retraining_on_broken_data_is_refused_and_the_champion_stays(make, tmp_path):
    table = str(tmp_path / "sales")
    sales(600).write_delta(table)
    shop, _ = make("one", table)
    sales(300, start=600).with_columns(pl.lit(None, pl.Float64).alias("age")).write_delta(table, mode="append")

    with pytest.raises(DataError, match=r"300 of 900 rows \(33\.3%\) break the contract"):
        make("one", table)
    assert shop.registry.champion("churn").version == "v1.0.0"
    assert [version.version for version in shop.registry.versions("churn")] == ["v1.0.0"]


def refusal_of(make, source):
    with pytest.raises(DataError) as refused:
        make("refused", str(source))
    return str(refused.value)


def test_rows_without_any_label_are_refused_with_the_name_of_the_target(make, tmp_path):
    sales(300).with_columns(left=pl.lit(None, pl.Int64)).write_parquet(tmp_path / "sales.parquet")

    assert "Of 300 rows none can be learned from: 300 have no label in 'left'" in refusal_of(
        make, tmp_path / "sales.parquet"
    )


def test_rows_that_are_all_later_than_now_are_refused_with_their_time(make, tmp_path):
    later = sales(300).with_columns(pl.col("ts").dt.offset_by("10y"))
    later.write_parquet(tmp_path / "sales.parquet")
    later.with_columns(pl.col("ts").dt.strftime("%Y-%m-%d %H:%M:%S")).write_parquet(tmp_path / "text.parquet")

    assert "It has no rows up to 2026-04-01 00:00 UTC" in refusal_of(make, tmp_path / "sales.parquet")
    assert "2026-04-01 00:00), the first of 2036-01-01 00:00" in refusal_of(make, tmp_path / "text.parquet")
