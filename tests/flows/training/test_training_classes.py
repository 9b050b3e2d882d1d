"""A candidate of four classes, and what later looks hold it against."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from flows.backtest.errors import BacktestRefused
from flows.backtest.table import read
from flows.config.model import ModelConfig
from flows.data.prepare import prepare
from flows.detection.standard import REFERENCE_FILE, STANDARD_FILE, Standard
from flows.detection.univariate.profile import ReferenceProfile
from flows.training.candidate import train_candidate
from flows.training.publish import propose
from flows.training.remote import propose as propose_remote
from registry.errors import InvalidRecord
from registry.records.upstream import Upstream
from registry.scoring.scorer import Scorer

CLASSES = ("ant", "bee", "cat", "dog")
AT = datetime(2030, 1, 1, tzinfo=UTC)
WHO = {"actor": "t", "reason": "t", "at": AT}


@pytest.fixture(scope="module")
def config() -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "model": "animals",
            "task": "multiclass",
            "target": "y",
            "features": {"numeric": ["a", "b"]},
            "data": {"time": "at", "classes": CLASSES},
            "training": {"min_rows": 300, "trials": 2, "families": ["linear"], "window": None},
        }
    )


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 1200)
    points = 1.6 * np.stack([np.cos(truth * np.pi / 2), np.sin(truth * np.pi / 2)]) + rng.normal(size=(2, 1200))
    names = [CLASSES[number] for number in truth]
    return pl.DataFrame({"at": 1.7e9 + 60.0 * np.arange(1200), "a": points[0], "b": points[1], "y": names})


@pytest.fixture(scope="module")
def candidate(config, table):
    frame = prepare(config, table)
    return train_candidate(config, frame, champion=None, champion_scorer=None, seed=1, as_of=AT)


def test_its_files_say_probabilities_of_every_class(candidate, config, table):
    said = Scorer.of(candidate.files).probabilities(table.select("a", "b").head(50).to_dicts())

    assert said.shape == (50, 4)
    assert said.sum(axis=1) == pytest.approx(np.ones(50))
    assert candidate.metrics["accuracy"] > 0.6
    assert propose(candidate, config=config, version="v1.0.0", **WHO).version.classes == CLASSES


def test_looks_are_given_the_classes_that_were_said_and_how_often_they_were_right(candidate):
    reference = ReferenceProfile.from_json(candidate.files[REFERENCE_FILE])
    standard = Standard.from_json(candidate.files[STANDARD_FILE])

    assert {*reference.classes["score"].counts} == {*reference.classes["label"].counts} == {*CLASSES}
    assert (reference.score, reference.label) == (None, None)
    assert np.mean(standard.labels) == pytest.approx(candidate.metrics["accuracy"])
    assert min(standard.scores) >= 0.25


def test_a_server_and_a_backtest_are_refused_in_words(config, table, registry, artifacts):
    upstream = Upstream(url="http://127.0.0.1:1/score", protocol="json")
    with pytest.raises(InvalidRecord, match="Its task is multiclass"):
        propose_remote(config, upstream, registry, artifacts, sample=None, **WHO)
    with pytest.raises(BacktestRefused, match="understudy replay"):
        read(config, table)
