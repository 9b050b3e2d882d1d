"""What the flow does around a look; without a Prefect server."""

import polars as pl
import pytest
from drift_making import NOON, drifted, look, make_config
from prefect.utilities.callables import parameter_schema

from flows.config.load import register_config
from flows.detection import monitor as room
from flows.detection.showing.look import look_content
from flows.detection.standard import Kept, Standard
from flows.detection.univariate.profile import ReferenceProfile
from flows.detection.watch import Watched
from flows.errors import ConfigError, Unreachable
from registry.errors import ArtifactRefused, NotFound
from registry.home import Settings


@pytest.fixture
def quiet(monkeypatch):
    """Run tasks and loggers without Prefect; remember errors."""
    said = []

    class Logger:
        def info(self, *said_):
            pass

        def error(self, form, *values):
            said.append(form % values)

    monkeypatch.setattr(room, "get_run_logger", Logger)
    return said


def test_one_model_that_cannot_be_looked_at_hides_no_other(quiet, monkeypatch):
    settings = Settings().prepare()

    def look_after(settings, model, wanted):
        if model == "a":
            raise NotFound("a was not looked at.", "It has no champion.", "Train one.")
        if model == "b":
            raise Unreachable("b was not looked at.", "Nobody answers.", "Start it.")
        return {"triggered": True}

    for name in ("a", "b", "c"):
        register_config(make_config().model_copy(update={"model": name}), settings)
    monkeypatch.setattr(room, "look_after", look_after)

    found = room.monitor.fn()

    assert found["c"] == {"triggered": True}
    assert "no champion" in found["a"]["held_back"]
    assert quiet == ["b: b was not looked at. Why: Nobody answers. Mend: Start it."]


def test_the_named_model_is_looked_at_by_the_given_clock(monkeypatch):
    asked = []
    monkeypatch.setattr(
        room, "look_after", lambda settings, model, wanted: asked.append((model, wanted.now, wanted.live))
    )

    room.monitor.fn(model="churn", as_of=NOON)

    assert asked == [("churn", NOON, False)]


def test_a_table_without_a_model_is_refused():
    with pytest.raises(ConfigError, match="no model that it belongs to"):
        room.monitor.fn(table="rows.csv")


def test_a_password_in_the_address_of_a_table_is_not_repeated_in_the_state_of_the_run():
    with pytest.raises(ConfigError) as refused:
        room.monitor.fn(table="mysql://ann:s3cr@t/x@db/sales")

    assert "mysql://ann:***@db/sales" in repr(refused.value)
    assert "s3cr" not in repr(refused.value) + str(refused.value)


def test_every_parameter_is_described_in_the_form_of_the_user_interface():
    shown = parameter_schema(room.monitor).properties

    assert set(shown) == {"model", "as_of", "table"}
    assert all(one["description"] for one in shown.values())


def test_a_retraining_is_woken_by_an_event_that_names_it(monkeypatch):
    sent = []
    monkeypatch.setattr(room, "emit_event", lambda name, **more: sent.append((name, more)))

    room._wake(look(drifted(), metrics={"drifted_features": 6.0}, event_id="retrain_20260301_001"))

    ((name, event),) = sent
    assert name == "understudy.drift.detected"
    assert event["resource"]["prefect.resource.id"] == "understudy.model.churn"
    assert event["payload"]["event_id"] == "retrain_20260301_001"
    assert event["payload"]["as_of"] == NOON.isoformat()


def test_artifacts_are_named_as_prefect_allows(monkeypatch):
    keys = []
    monkeypatch.setattr(room, "create_markdown_artifact", lambda **made: keys.append(made["key"]))
    monkeypatch.setattr(room, "create_table_artifact", lambda **made: keys.append(made["key"]))

    seen = look(drifted(), model="my_model")
    page = look_content(seen, Kept(ReferenceProfile(rows=0), Standard()), pl.DataFrame({"x": [1.0, 2.0]}))

    room._show(Settings().prepare(), Watched(seen, page))

    assert keys == ["monitor-my-model", "drift-my-model"]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Unreachable("Nothing.", "Nobody answers.", "Start it."), True),
        (OSError("a full disk"), True),
        (NotFound("Nothing.", "It has no champion.", "Train one."), False),
        (ArtifactRefused("Nothing.", "It was altered.", "Restore it."), False),
        (None, False),
    ],
)
def test_a_look_is_repeated_only_where_that_may_help(error, again):
    class State:
        def result(self):
            if error is not None:
                raise error

    assert room.may_pass(None, None, State()) is again
