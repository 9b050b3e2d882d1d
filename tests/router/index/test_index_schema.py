"""An index of another version of ours is read again from the log; what is only there stays."""

import sqlite3

from index_making import Index, observed, predicted

from router.index.schema import VERSION, open_index, open_readonly


def test_an_index_of_another_version_is_made_again_from_the_log(tmp_path):
    index = Index(tmp_path).take(predicted("p"), observed("o", prediction_id="p"))
    index.db.execute("INSERT INTO notes (model, at, kind, said) VALUES ('m', 1.0, 'rolled_back', 'it failed')")
    index.db.execute("DROP TABLE outcomes")
    index.db.execute("CREATE TABLE outcomes (whatever TEXT)")
    index.db.execute(f"PRAGMA user_version = {VERSION - 1}")
    index.db.close()

    again = Index(tmp_path).take()

    assert again.joined() == [("p", "label", 1.0)]
    assert again.metrics().predictions == 1
    assert again.db.execute("SELECT said FROM notes").fetchall() == [("it failed",)]


def test_an_index_of_this_version_is_left_as_it_is(tmp_path):
    Index(tmp_path).take(predicted("p")).db.close()

    assert Index(tmp_path).ingest.catch_up() == 0


def test_a_reader_cannot_write(tmp_path):
    open_index(tmp_path / "index.sqlite")
    reader = open_readonly(tmp_path / "index.sqlite")

    try:
        reader.execute("DELETE FROM predictions")
    except sqlite3.OperationalError as error:
        assert "readonly" in str(error)
    else:
        raise AssertionError("a reader wrote")
