"""Classes that have numbers already keep them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flows.config.classes import refuse_other_classes
from flows.config.model import ModelConfig
from flows.errors import ConfigError
from registry.home import Settings
from registry.records.plan import Guards
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.store.registry import Registry

AT = datetime(2026, 1, 1, tzinfo=UTC)


def config(*classes: str, **changes: Any) -> ModelConfig:
    raw = {"model": "m", "task": "multiclass", "target": "y", "features": {"numeric": ["x"]}}
    return ModelConfig.model_validate(raw | ({"data": {"classes": classes}} if classes else {}) | changes)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path).prepare()


@pytest.fixture
def champion(settings) -> None:
    made = ModelVersion(
        model="m",
        version="v1.0.0",
        task="multiclass",
        classes=("a", "b", "c"),
        target="y",
        features=(Feature(name="x", kind="numeric"),),
        algorithm="linear",
        data=TrainingData(rows=1, start=None, end=None, source="t", fingerprint="0"),
        artifact_digest="0" * 64,
        parity=0.0,
        created_at=AT,
        actor="t",
        reason="t",
    )
    with Registry.open(settings.registry_url) as registry:
        registry.register_version(made)
        registry.install_first("m", "v1.0.0", guards=Guards(), salt="s", actor="t", reason="t", at=AT)


def test_before_the_first_version_everything_may_change(settings):
    assert refuse_other_classes(config("c", "b", "a"), settings) is None


@pytest.mark.usefixtures("champion")
def test_new_classes_may_be_added_behind(settings):
    assert refuse_other_classes(config("a", "b", "c", "d"), settings) is None


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize("classes", [("a", "c", "b"), ("b", "c", "d"), ("z", "a", "b", "c")])
def test_no_class_gets_another_number(settings, classes):
    with pytest.raises(ConfigError, match=r"data\.classes must begin with a, b, c"):
        refuse_other_classes(config(*classes), settings)


@pytest.mark.usefixtures("champion")
def test_a_model_of_several_classes_does_not_become_another(settings):
    with pytest.raises(ConfigError, match=r"task is binary, and that of v1\.0\.0, in production, is multiclass"):
        refuse_other_classes(config(task="binary"), settings)
