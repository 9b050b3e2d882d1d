import sqlite3
from datetime import UTC, datetime, timedelta
from stat import S_IMODE

import polars as pl
import pytest
from data_making import make_config

from flows.data import Origin, prepare, save_seed
from flows.data.contract.learn import infer_contract
from flows.data.contract.records import CONTRACT_FILE
from flows.data.gather import contract_of, extract, new_rows, quarantine_file, validated
from flows.data.history import seed_file
from flows.data.sources import source_of
from flows.data.tables import read_source
from flows.errors import DataError
from registry.artifacts import ArtifactStore
from registry.errors import StoreUnavailable
from registry.records.version import Feature, ModelVersion, TrainingData

SECONDS = 1_767_225_600.0  # 2026-01-01
NOW = datetime.fromtimestamp(SECONDS, UTC) + timedelta(days=30)
DAY = 86_400.0


def rows(count, start=0, **changes):
    numbers = range(start, start + count)
    values = {
        "who": [f"c{n}" for n in numbers],
        "ts": [SECONDS + n * 3600 for n in numbers],
        "age": [20.0 + n % 50 for n in numbers],
        "plan": [("basic", "gold")[n % 2] for n in numbers],
        "left": [n % 2 for n in numbers],
    }
    return pl.DataFrame(values | changes)


def config(source, **data):
    training = data.pop("training", {"window": None})
    return make_config(data={"source": str(source), "time": "ts", "key": "who"} | data, training=training)


def keep_first_table(asked, settings):
    table = read_source(asked, source_of(asked), tolerant=False)
    save_seed(settings, asked, table.frame, Origin(table.source, table.version))
    return table.frame.height


def test_a_file_is_read_for_the_first_training_and_kept(tmp_path, client, settings):
    rows(300).write_parquet(tmp_path / "t.parquet")
    asked = config(tmp_path / "t.parquet")
    assert keep_first_table(asked, settings) == 300
    (tmp_path / "t.parquet").unlink()

    found = extract(asked, settings, client, as_of=NOW)

    assert found.frame.height == 300
    assert found.source == f"{tmp_path}/t.parquet"
    assert found.version.startswith("sha256:")


def test_a_file_that_nobody_kept_is_read(tmp_path, client, settings):
    rows(300).write_csv(tmp_path / "t.csv")

    assert extract(config(tmp_path / "t.csv"), settings, client, as_of=NOW).frame.height == 300


def test_a_table_that_grows_is_read_again_and_not_kept(tmp_path, client, settings):
    table = str(tmp_path / "sales")
    rows(200).write_delta(table)
    asked = config(table)
    rows(100, start=200).write_delta(table, mode="append")

    found = extract(asked, settings, client, as_of=NOW)

    assert (found.frame.height, found.version) == (300, "1")
    assert not seed_file(settings, "churn").exists()


def test_an_old_version_of_a_delta_table_gives_the_rows_of_the_old_training(tmp_path, client, settings):
    table = str(tmp_path / "sales")
    rows(200).write_delta(table)
    before = extract(config(table), settings, client, as_of=NOW)
    rows(200, age=7.0).write_delta(table, mode="overwrite")
    pinned = config(f"{table}@{before.version}")

    again = extract(pinned, settings, client, as_of=NOW)

    assert again.frame.equals(before.frame)
    assert again.version == before.version == "0"


def test_what_the_router_served_wins_over_what_the_table_says(tmp_path, log, client, settings, row):
    rows(5).write_delta(str(tmp_path / "sales"))
    log.hold(
        row(1, key="c3", time=SECONDS + 3 * 3600, features={"age": 99.0, "plan": "served"}, outcomes={"label": 1.0}),
        row(2, key="new", time=SECONDS + 9 * 3600, outcomes={"label": 0.0}),
    )

    found = extract(config(tmp_path / "sales"), settings, client, as_of=NOW)

    assert found.frame.filter(pl.col("_key") == "c3")["plan"].to_list() == ["served"]
    assert found.frame["_key"].to_list() == ["c0", "c1", "c2", "c3", "c4", "new"]
    assert found.source.endswith("sales + log of the router")
    assert found.version.startswith("0 + rows:")


def test_a_table_that_is_played_is_not_read_again(tmp_path, client, settings):
    rows(100).write_delta(str(tmp_path / "sales"))
    asked = config(tmp_path / "sales")
    save_seed(settings, asked, prepare(asked, rows(10)), Origin("first 10 rows", played=True))

    assert extract(asked, settings, client, as_of=NOW).frame.height == 10


def test_repeats_are_left_out_and_counted_unless_they_are_wanted(tmp_path, client, settings):
    pl.concat([rows(50), rows(10), rows(5).with_columns(pl.lit(7).cast(pl.Int64).alias("left"))]).write_delta(
        str(tmp_path / "sales")
    )
    regression = {"task": "regression"}

    found = extract(make_config(**regression, data=config(tmp_path / "sales").data.model_dump()), settings, client)
    kept = extract(config(tmp_path / "sales", deduplicate=False, positive=1), settings, client, as_of=NOW)

    assert (found.frame.height, found.duplicates, found.conflicts) == (55, 10, 10)
    assert (kept.frame.height, kept.duplicates) == (65, 0)


def test_unlabelled_and_later_rows_are_left_out(tmp_path, client, settings):
    table = rows(48).with_columns(pl.when(pl.col("ts") > SECONDS).then("left").alias("left"))
    table.write_delta(str(tmp_path / "sales"))

    found = extract(config(tmp_path / "sales"), settings, client, as_of=NOW - timedelta(days=29))

    assert found.frame["_time"].to_list() == [SECONDS + n * 3600 for n in range(1, 25)]


def test_only_what_the_windows_can_reach_is_read_wherever_the_newest_row_is(tmp_path, client, settings):
    rows(20 * 24).write_delta(str(tmp_path / "sales"))
    asked = config(tmp_path / "sales", training={"window": "2d"}, label_delay="1d")

    in_time = extract(asked, settings, client, as_of=datetime.fromtimestamp(SECONDS + 20 * DAY, UTC))
    late = extract(asked, settings, client, as_of=datetime.fromtimestamp(SECONDS + 22 * DAY, UTC))

    assert in_time.frame["_time"][0] == SECONDS + 15 * DAY
    assert late.frame["_time"][-1] - late.frame["_time"][0] == 4 * DAY


def test_a_database_is_read_like_every_other_table(tmp_path, client, settings):
    file = tmp_path / "shop.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE sales (who TEXT, ts REAL, age REAL, plan TEXT, left INTEGER)")
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?)", rows(100).rows())
    connection.close()
    asked = config(f"sqlite:///{file}", table="sales")
    rows(100).write_delta(str(tmp_path / "sales"))

    found = extract(asked, settings, client, as_of=NOW)

    assert found.frame.equals(extract(config(tmp_path / "sales"), settings, client, as_of=NOW).frame)
    assert found.version.startswith("rows:")
    assert found.source == f"sqlite:///{file} sales"


def gathered(asked, frame, settings, client, tmp_path, contract):
    frame.write_csv(tmp_path / "next" / "t.csv") if (tmp_path / "next").mkdir() is None else None
    found = extract(
        asked.model_copy(update={"data": asked.data.model_copy(update={"source": f"{tmp_path}/next/*.csv"})}),
        settings,
        client,
        contract=contract,
        as_of=NOW,
    )
    return validated(asked, found, contract, keep_in=quarantine_file(settings, "churn", "e-1"))


def first_contract(asked):
    return infer_contract(asked, prepare(asked, rows(300)))


def test_the_first_training_learns_the_contract(tmp_path, client, settings):
    asked = config(tmp_path)

    done = gathered(asked, rows(300), settings, client, tmp_path, None)

    assert (done.report, done.contract) == (None, first_contract(asked))


def test_broken_rows_are_kept_in_a_file_and_the_others_are_learned_from(tmp_path, client, settings):
    asked = config(tmp_path)
    ages = ["forty", "-5", None, *(str(20.0 + n % 50) for n in range(3, 300))]

    done = gathered(asked, rows(300, age=ages), settings, client, tmp_path, first_contract(asked))

    aside = pl.read_parquet(done.report.file)
    assert done.report.file == str(settings.home / "quarantine" / "churn" / "e-1.parquet")
    assert aside["_key"].to_list() == ["c0", "c1", "c2"]
    assert aside["_broken"].to_list() == ["age type: forty", "age negative: -5.0", "age null: null"]
    assert done.frame["_key"].to_list() == [f"c{n}" for n in range(3, 300)]
    assert done.frame.columns == ["age", "plan", "_time", "_key", "_label"]
    assert done.contract == first_contract(asked)
    assert {one.rule for one in done.report.findings} == {"type", "negative", "null"}


def test_too_many_broken_rows_are_refused_with_their_counts_and_still_kept(tmp_path, client, settings):
    asked = config(tmp_path)
    frame = rows(300).with_columns(pl.when(pl.col("ts") > SECONDS + 30 * 3600).then("age").alias("age"))

    with pytest.raises(DataError, match=r"31 of 300 rows \(10.3%\).*age is missing.* in 31 rows") as refused:
        gathered(asked, frame, settings, client, tmp_path, first_contract(asked))
    assert "data.contract: report" in refused.value.mend
    assert pl.read_parquet(quarantine_file(settings, "churn", "e-1")).height == 31


def test_one_broken_row_is_refused_where_none_is_wanted(tmp_path, client, settings):
    asked = config(tmp_path, contract="refuse")

    with pytest.raises(DataError, match="none may"):
        gathered(asked, rows(300, plan=["zinc", *["gold"] * 299]), settings, client, tmp_path, first_contract(asked))


@pytest.mark.parametrize("mode", ["report", "off"])
def test_broken_rows_are_only_said_or_not_looked_for_where_that_is_wanted(tmp_path, client, settings, mode):
    asked = config(tmp_path, contract=mode)
    frame = rows(300, plan=["zinc", *["gold"] * 299])

    done = gathered(asked, frame, settings, client, tmp_path, first_contract(asked))

    assert done.frame.height == 300
    assert (done.report is None) is (mode == "off")
    assert done.report is None or [(one.rows, one.quarantined) for one in done.report.findings] == [(1, False)]
    assert "zinc" in done.contract.levels[0].levels


def test_text_among_numbers_is_refused_while_there_is_no_contract(tmp_path, client, settings):
    with pytest.raises(DataError, match=r"'age' holds text, e\.g\. 'forty'"):
        gathered(config(tmp_path), rows(3, age=["forty", "1", "2"]), settings, client, tmp_path, None)


def version(artifacts, files):
    return ModelVersion(
        model="churn",
        version="v1.0.0",
        task="binary",
        target="left",
        features=(Feature(name="age", kind="numeric"),),
        algorithm="linear",
        data=TrainingData(rows=1, start=NOW, end=NOW, source="test", fingerprint="0"),
        artifact_digest=artifacts.save("churn", "v1.0.0", files),
        parity=0.0,
        created_at=NOW,
        actor="test",
        reason="test",
    )


def test_the_contract_of_a_version_lies_among_its_files(tmp_path):
    artifacts = ArtifactStore(tmp_path)
    contract = first_contract(config(tmp_path))

    kept = version(artifacts, {CONTRACT_FILE: contract.to_json()})

    assert contract_of(artifacts, kept) == contract
    assert contract_of(artifacts, None) is None


def test_a_version_from_before_contracts_has_none(tmp_path):
    artifacts = ArtifactStore(tmp_path)

    assert contract_of(artifacts, version(artifacts, {"scorer.json": b"{}"})) is None


def test_new_rows_are_those_after_all_that_the_champion_has_learned_from(tmp_path):
    champion = version(ArtifactStore(tmp_path), {"scorer.json": b"{}"})
    frame = pl.DataFrame({"_time": [NOW.timestamp() - 1, NOW.timestamp(), NOW.timestamp() + 1]})

    assert (new_rows(frame, champion), new_rows(frame, None)) == (1, 3)


def test_rows_that_are_set_aside_are_for_their_owner_alone(tmp_path, client, settings):
    asked = config(tmp_path)
    done = gathered(asked, rows(300, plan=["zinc", *["gold"] * 299]), settings, client, tmp_path, first_contract(asked))

    assert S_IMODE(quarantine_file(settings, "churn", "e-1").stat().st_mode) == 0o600
    assert done.report.quarantined == 1


def test_a_database_to_which_rows_are_added_is_read_bit_by_bit(tmp_path, client, settings):
    file = tmp_path / "shop.sqlite"
    asked = config(f"sqlite:///{file}", table="sales", incremental=True)
    for part in range(3):
        with sqlite3.connect(file) as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS sales (who TEXT, ts REAL, age REAL, plan TEXT, left INTEGER)"
            )
            connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?)", rows(100, start=100 * part).rows())
        connection.close()
        found = extract(asked, settings, client, as_of=NOW)

    assert found.frame["_key"].to_list() == [f"c{n}" for n in range(300)]
    assert (settings.home / "tables" / "churn.read.parquet").exists()


def test_broken_rows_that_cannot_be_kept_stop_the_training(tmp_path, client, settings):
    asked = config(tmp_path)
    (settings.home / "quarantine").write_text("no folder")

    with pytest.raises(StoreUnavailable, match="1 rows were not set aside"):
        gathered(asked, rows(300, plan=["zinc", *["gold"] * 299]), settings, client, tmp_path, first_contract(asked))
