"""Reading, filling in and keeping a model's configuration."""

import threading
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from flows.config import load
from flows.config.durations import Duration, text
from flows.config.load import load_config, parse_config, register_config, registered_config
from flows.errors import ConfigError
from registry.errors import NotFound, StoreUnavailable
from registry.home import Settings

GOOD = {
    "model": "churn",
    "task": "binary",
    "target": "left",
    "features": {"numeric": ["age"]},
}
FILLED = GOOD | {"data": {"source": "${WHERE:-here}/${NAME}.csv"}}
DURATION = TypeAdapter(Duration)


@pytest.fixture
def written(tmp_path):
    def write(document):
        path = tmp_path / "model.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    return write


def files(settings):
    return sorted(path.name for path in settings.configs_dir.iterdir())


def test_variables_are_filled_in_and_defaults_used(written):
    assert load_config(written(FILLED), {"NAME": "churn"}).data.source == "here/churn.csv"
    assert load_config(written(FILLED), {"NAME": "churn", "WHERE": "/data"}).data.source == "/data/churn.csv"


def test_every_variable_that_is_not_set_is_named_once_beside_the_other_mistakes(written):
    wrong = GOOD | {"description": "${NAME} ${OTHER} ${NAME}", "task": "ternary"}
    with pytest.raises(ConfigError) as caught:
        load_config(written(wrong), {})

    assert caught.value.why.count("NAME is not set") == 1
    assert "OTHER is not set" in caught.value.why
    assert "task: should be" in caught.value.why
    assert caught.value.mend.startswith("`export NAME=... OTHER=...`. Correct the keys named")


def test_a_file_that_only_lacks_a_variable_is_mended_by_it_alone(written):
    with pytest.raises(ConfigError) as caught:
        load_config(written(FILLED), {})

    assert caught.value.mend == "`export NAME=...`."


def test_what_was_registered_is_read_again_as_it_was(written):
    settings = Settings().prepare()
    config = load_config(written(FILLED), {"NAME": "churn"})

    register_config(config, settings)

    assert registered_config("churn", settings) == config
    assert files(settings) == ["churn.yaml"]


def test_a_model_that_nobody_registered_is_refused_with_those_that_are():
    settings = Settings().prepare()
    register_config(parse_config(GOOD, "test"), settings)

    with pytest.raises(NotFound, match=r"There is no model 'chrun'\. Why: Registered: churn\."):
        registered_config("chrun", settings)


def test_a_configuration_that_cannot_be_written_leaves_the_one_before_and_no_draft(monkeypatch):
    settings = Settings().prepare()
    register_config(parse_config(GOOD, "test"), settings)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(load.os, "fsync", full)
    with pytest.raises(StoreUnavailable, match="nothing was changed") as caught:
        register_config(parse_config(GOOD | {"target": "gone"}, "test"), settings)

    assert "No space left on device" in caught.value.why
    assert registered_config("churn", settings).target == "left"
    assert files(settings) == ["churn.yaml"]


def test_two_who_register_at_once_do_not_mix():
    settings = Settings().prepare()
    configs = [parse_config(GOOD | {"description": letter * 5000}, "test") for letter in "ab"]
    threads = [threading.Thread(target=register_config, args=(config, settings)) for config in configs * 10]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert registered_config("churn", settings) in configs
    assert files(settings) == ["churn.yaml"]


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9_999)))
def test_a_duration_is_written_as_it_is_read(duration):
    assert DURATION.validate_python(text(duration)) == duration


@pytest.mark.parametrize("wrong", ["", "6", "h", "-1h", "1 hour", "1e400d", "9" * 30 + "w", "nan"])
def test_what_is_no_duration_is_refused_with_the_value(wrong):
    with pytest.raises(ValueError, match=r"no duration|longer than time"):
        DURATION.validate_python(wrong)


@pytest.mark.parametrize("name", ["xgbost", "Forest", "module:", "a b:C", ""])
def test_a_family_that_does_not_exist_is_answered_with_those_that_do(name):
    with pytest.raises(ConfigError) as caught:
        parse_config(GOOD | {"training": {"families": ["linear", name]}}, "test")

    assert (
        "training.families.1: should be one of xgboost, lightgbm, forest, mlp, linear, ensemble, " in caught.value.why
    )
    assert f"or module:Class, an estimator of your own (given: {name!r})" in caught.value.why


def test_a_class_of_ones_own_is_a_family():
    config = parse_config(GOOD | {"training": {"families": ["my_models.trees:Oak", "linear", "ensemble"]}}, "test")

    assert config.training.families == ("my_models.trees:Oak", "linear", "ensemble")
