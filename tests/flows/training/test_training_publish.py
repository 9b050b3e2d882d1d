import pytest
from training_making import NOW, make_config, make_frame

from flows.training.candidate import train_candidate
from flows.training.publish import next_number, publish
from registry.errors import AlreadyExists
from registry.scoring.scorer import Scorer


def trained(config, **more):
    return train_candidate(config, make_frame(600), champion=None, champion_scorer=None, seed=0, as_of=NOW, **more)


def quick(**more):
    return make_config(training={"trials": 0, "families": ["linear"]}, **more)


def test_a_published_version_can_be_loaded_and_scores_as_it_did(registry, artifacts):
    config = quick()
    candidate = trained(config)

    version = publish(candidate, registry, artifacts, config=config, actor="ann", reason="test", at=NOW)

    stored = registry.version("churn", "v1.0.0")
    files = artifacts.load("churn", "v1.0.0", stored.artifact_digest)
    newest = make_frame(600).tail(120).select("a", "b", "c").to_dicts()
    assert stored == version
    assert stored.stage == "staging"
    assert Scorer.of(files).score(newest).shape == (120,)
    assert sorted(files) == ["card.md", "reference.json", "scorer.json", "standard.json"]
    assert stored.dependencies["xgboost"]
    assert {feature.name: feature.levels for feature in stored.features}["c"] == ("blue", "green", "rare", "red")


def test_the_same_features_make_a_minor_version_and_other_features_a_major_one(registry, artifacts):
    config = quick()
    publish(trained(config), registry, artifacts, config=config, actor="ann", reason="test", at=NOW)
    fewer = quick(features={"numeric": ["a", "b"]})

    assert next_number(trained(config), registry, config) == "v1.1.0"
    assert next_number(trained(fewer), registry, fewer) == "v2.0.0"


def test_a_taken_number_is_refused(registry, artifacts):
    config = quick()
    candidate = trained(config)
    publish(candidate, registry, artifacts, config=config, version="v1.0.0", actor="ann", reason="test", at=NOW)

    with pytest.raises(AlreadyExists):
        publish(candidate, registry, artifacts, config=config, version="v1.0.0", actor="ann", reason="test", at=NOW)
