import pytest
from training_making import NOW, make_config, make_frame

from flows.training.candidate import train_candidate
from flows.training.provenance import config_digest
from flows.training.publish import next_number, publish
from registry.errors import AlreadyExists
from registry.scoring.scorer import Scorer


def trained(config, frame=None, **more):
    frame = make_frame(600) if frame is None else frame
    return train_candidate(config, frame, champion=None, champion_scorer=None, seed=0, as_of=NOW, **more)


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


def test_other_rows_make_a_minor_version_other_features_a_major_one_and_the_same_again_a_patch(registry, artifacts):
    config = quick()
    publish(trained(config), registry, artifacts, config=config, actor="ann", reason="test", at=NOW)
    fewer, seeded = quick(features={"numeric": ["a", "b"]}), make_config(training={"trials": 0, "seed": 7})

    assert next_number(trained(config), registry, config) == "v1.0.1"
    assert next_number(trained(config, make_frame(601)), registry, config) == "v1.1.0"
    assert next_number(trained(config), registry, seeded) == "v1.1.0"
    assert next_number(trained(fewer), registry, fewer) == "v2.0.0"


def test_what_only_people_are_told_by_the_configuration_makes_no_other_digest():
    config = quick()

    assert config_digest(config) == config_digest(quick(notify={"urls": ["json://x"]}, retention={"archived": 3}))
    assert config_digest(config) != config_digest(make_config(training={"trials": 1, "families": ["linear"]}))


def test_a_version_says_by_what_it_was_made(registry, artifacts):
    config = quick()
    made = publish(trained(config), registry, artifacts, config=config, actor="ann", reason="why", at=NOW)

    assert made.code_version.startswith("0.")
    assert {"python", "machine", "cpus", "threads"} <= made.environment.keys()
    assert made.dependencies["scikit-learn"]
    assert "OMP_NUM_THREADS" in made.environment
    assert (made.actor, made.reason, made.seed, made.created_at) == ("ann", "why", 0, NOW)
    assert made.data.rows == 600
    assert made.data.new_rows > 0
    assert made.duration_s > 0
    assert made.config_digest == config_digest(config)


def test_a_taken_number_is_refused(registry, artifacts):
    config = quick()
    candidate = trained(config)
    publish(candidate, registry, artifacts, config=config, version="v1.0.0", actor="ann", reason="test", at=NOW)

    with pytest.raises(AlreadyExists):
        publish(candidate, registry, artifacts, config=config, version="v1.0.0", actor="ann", reason="test", at=NOW)
