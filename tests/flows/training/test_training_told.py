"""People hear of a retraining before it begins and of what came of it; never of what is in the data."""

import pytest
from receiving import received
from training_making import make_config, make_frame

from flows.config.load import register_config
from flows.errors import DataError
from flows.notify.send import send_due
from flows.training.retraining import run_retraining

PERSON = "ann.smith@example.org, 4111 1111 1111 1111, Atlantis"


@pytest.fixture
def receiver(settings, registry):
    with received() as receiver:
        register_config(make_config(notify={"urls": [receiver.url]}), settings)
        receiver.versions = []
        receiver.on_message = lambda told: receiver.versions.append(
            (told["title"].partition(": ")[2], len(registry.versions("churn")))
        )
        yield receiver


def quick():
    return make_config(training={"trials": 0, "families": ["linear"], "min_rows": 200}, promotion={"min_holdout": 50})


def test_a_retraining_is_told_before_it_begins_and_when_it_is_done(make_shop, settings, registry, receiver):
    done = run_retraining(make_shop(make_frame(1000), quick()), actor="ann", reason=f"for {PERSON}")
    send_due(settings, registry)

    assert receiver.versions == [(f"retraining {done.event.id} starts", 0), ("v1.0.0 was trained", 1)]
    assert "It is the first champion." in receiver.heard[1]["message"]
    assert not any(secret in str(receiver.heard) for secret in PERSON.split(", "))


def test_a_failure_is_told_without_the_words_of_the_error(make_shop, settings, registry, receiver):
    def broken():
        raise DataError("The rows cannot be read.", f"could not convert {PERSON!r}.", "Mend them.")

    with pytest.raises(DataError):
        run_retraining(make_shop(broken, quick()), actor="ann")
    send_due(settings, registry)

    assert [title.rpartition(" ")[2] for title in receiver.titles] == ["starts", "failed"]
    assert "DataError" in receiver.heard[1]["message"]
    assert not any(secret in str(receiver.heard) for secret in PERSON.split(", "))
