"""Rows of a look: from a table as from the router's log."""

from datetime import timedelta

import polars as pl
import pytest
from drift_making import NOON, make_config
from watched_making import CONFIG, failing, settled, table

from flows.detection.sources import LiveRows, TableRows, open_table, table_frame
from flows.detection.standard import read_kept
from flows.detection.watch import measure, watch
from flows.errors import DataError
from registry.artifacts import ArtifactStore
from registry.errors import ArtifactRefused, NotFound
from registry.home import Settings
from registry.store.registry import Registry


@pytest.fixture
def settings():
    return Settings().prepare()


@pytest.fixture
def store(settings):
    return ArtifactStore(settings.models_dir)


@pytest.fixture
def champion(settings):
    return settled(settings)


@pytest.fixture
def registry(settings, champion):
    with Registry.open(settings.registry_url) as opened:
        yield opened


@pytest.fixture
def written(tmp_path):
    def write(frame):
        file = tmp_path / "rows.parquet"
        frame.write_parquet(file)
        return file

    return write


def look_at(registry, store, champion, file, config=CONFIG):
    rows = open_table(config, file, champion, store)
    return measure(config, registry, rows, champion, read_kept(store, champion), NOON).look


def test_a_table_is_scored_by_the_champion_and_its_failure_is_found(registry, store, champion, written):
    look = look_at(registry, store, champion, written(failing()))

    assert look.decision.triggered
    assert look.decision.drift_type in ("concept", "both")
    assert look.decision.evidence["accuracy"] < 0.6
    assert look.decision.evidence["labelled"] == 500


def test_the_looks_at_a_table_with_scores_and_at_one_without_agree(registry, store, champion, written):
    frame = failing()
    scores = open_table(CONFIG, written(frame), champion, store).newest(frame.height)["_score"]
    one = look_at(registry, store, champion, written(frame))
    other = look_at(registry, store, champion, written(frame.with_columns(score=scores)))

    assert one.to_dict() == other.to_dict()


def test_a_table_without_labels_still_shows_drift(registry, store, champion, written):
    look = look_at(registry, store, champion, written(table(1500, 4, since=NOON, shift=1.0).drop("y")))

    assert [one.name for one in look.drift.drifted] == ["x"]
    assert look.decision.evidence["labelled"] == 0
    assert look.decision.evidence["error"] is None


def test_only_rows_up_to_the_models_clock_are_seen(written):
    file = written(table(100, 5, since=NOON))

    assert table_frame(CONFIG, file, until=NOON + timedelta(minutes=9)).height == 10
    assert table_frame(CONFIG, file).height == 100


def test_a_feature_that_is_absent_is_said_with_the_columns_there_are(written):
    with pytest.raises(DataError, match="feature 'c' is no column"):
        table_frame(CONFIG, written(table(100, 5).drop("c")))


def test_a_score_that_is_a_feature_is_no_score(written):
    config = make_config(numeric=("x", "score"), data={"time": "at"})
    frame = table_frame(config, written(table(10, 5).with_columns(score=pl.lit(3.0))))

    assert "_kpi__score" not in frame.columns


def test_scores_that_are_text_are_refused(written):
    with pytest.raises(DataError, match="'score' holds text"):
        table_frame(CONFIG, written(table(10, 5).with_columns(score=pl.lit("high"))))


def test_a_champion_whose_files_were_altered_scores_nothing_and_leaves_nothing(
    settings, registry, store, champion, written
):
    for file in settings.models_dir.rglob("scorer.json"):
        file.write_bytes(file.read_bytes() + b" ")

    with pytest.raises(ArtifactRefused):
        open_table(CONFIG, written(failing()), champion, store)
    with pytest.raises(ArtifactRefused):
        watch(CONFIG, registry, rows_of(failing()), lambda version: read_kept(store, version), NOON)
    assert registry.drift_reports("churn") == registry.retraining_events("churn") == []


def test_without_a_champion_there_are_no_eyes_to_see_with(store):
    with pytest.raises(NotFound, match="no champion"):
        open_table(CONFIG, "rows.csv", None, store)


def rows_of(frame):
    from flows.data import prepare

    return TableRows(prepare(CONFIG, frame), CONFIG, "v1.0.0", lambda rows: pl.zeros(len(rows), eager=True).to_numpy())


def test_labelled_rows_that_were_read_are_counted_without_asking_again():
    class Log:
        asked = 0

        def rows_raw(self, model, **_):
            self.asked += 1
            line = b'{"sequence":%d,"time":%d,"features":{"x":1.0},"outcomes":{"label":1.0}}\n'
            return b"".join(line % (n, n) for n in range(10))

    log = Log()
    rows = LiveRows(log, CONFIG)
    rows.labelled(20)

    assert (rows.labelled_since(4.0), log.asked) == (6, 1)
    rows.labelled(10)
    assert (rows.labelled_since(4.0), log.asked) == (6, 2)
    assert (rows.labelled_since(0.0), log.asked) == (10, 3)


class Counted(TableRows):
    """Remembers how many labelled rows were asked for."""

    def __init__(self, frame):
        super().__init__(frame, CONFIG, "v1.0.0", lambda rows: pl.repeat(0.5, len(rows), eager=True).to_numpy())
        self.asked = []

    def labelled(self, rows):
        self.asked.append(rows)
        return super().labelled(rows)


@pytest.mark.parametrize(("version", "asked"), [("v1.0.0", [2000, 20_000]), ("v0.9.0", [2000])])
def test_rows_of_a_champion_that_is_new_in_service_are_not_sought_far_back(registry, store, champion, version, asked):
    from flows.data import prepare

    rows = Counted(prepare(CONFIG, table(3000, 6, since=NOON)))
    rows._frame = rows._frame.with_columns(pl.lit(version).alias("_version"))
    measure(CONFIG, registry, rows, champion, read_kept(store, champion), NOON)

    assert rows.asked == asked
