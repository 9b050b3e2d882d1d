"""`understudy notify` against a real receiver, and addresses that `init` and `doctor` refuse."""

import json
import socket

import pytest
from receiving import received

from flows.config.load import parse_config, register_config
from flows.notify import notice_of
from flows.notify.messages import moved
from flows.ops import doctor
from registry.home import Settings
from registry.store.registry import Registry

CHURN = "model: churn\ntask: binary\ntarget: left\nfeatures: {numeric: [x]}\n"
SECRET = "TIiajkdnlazkcOXrIdevi7"


@pytest.fixture
def where():
    return Settings().prepare()


@pytest.fixture
def told_to(where):
    def register(*urls):
        document = {"model": "churn", "task": "binary", "target": "left", "features": {"numeric": ["x"]}}
        register_config(parse_config(document | {"notify": {"urls": list(urls)}}, "test"), where)

    return register


@pytest.fixture
def receiver():
    with received() as receiver:
        yield receiver


@pytest.fixture
def nowhere():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"json://127.0.0.1:{free.getsockname()[1]}/{SECRET}"


def test_a_test_says_of_each_address_whether_it_arrived(understudy, told_to, receiver, nowhere):
    told_to(receiver.url, nowhere, f"slack://{SECRET}")

    done = understudy("notify", "test", "churn")

    assert done.code == 1
    assert receiver.titles == ["churn: a test of notifications"]
    lines = done.out.splitlines()
    assert lines[0].endswith(": arrived")
    assert lines[1].endswith(": the server cannot be reached, or refused it")
    assert "slack:" in lines[2]
    assert "it is not complete" in done.out
    assert SECRET not in done.out + done.err


def test_a_test_as_json(understudy, told_to, receiver):
    told_to(receiver.url)

    done = understudy("notify", "test", "churn", "--json")

    (tried,) = json.loads(done.out)
    assert (done.code, tried["arrived"], tried["said"]) == (0, True, "")


def test_the_outbox_is_listed_and_sent(understudy, where, told_to, receiver):
    told_to(receiver.url)
    with Registry.open(where.registry_url) as registry:
        registry.add_notice(notice_of(moved("churn", "r-0001", "v1.1.0", "10 %"), model="churn", key="k"))

    waiting = json.loads(understudy("notify", "list", "churn", "--json").out)
    sent = understudy("notify", "send")
    after = understudy("notify", "list", "--status", "sent")

    assert [(one["kind"], one["status"]) for one in waiting] == [("rollout.moved", "waiting")]
    assert (sent.code, receiver.titles) == (0, ["churn: v1.1.0 moves on"])
    assert "1 were sent" in sent.out
    assert "rollout.moved" in after.out


def test_bad_addresses_are_refused_by_init_and_found_by_the_doctor(understudy, tmp_path, where, told_to):
    file = tmp_path / "churn.yaml"
    file.write_text(f"{CHURN}notify: {{urls: ['slak://{SECRET}', 'json://127.0.0.1:1', 'msteams://{SECRET}']}}\n")

    done = understudy("init", str(file))
    told_to(f"slak://{SECRET}")
    check = doctor._notifications(where)  # all of its looks take seconds

    assert done.code == 2
    assert "did you mean slack://?" in done.err
    assert "notify.urls.2 (msteams)" in done.err
    assert not check.passed
    assert "churn.yaml: notify.urls.0 (slak)" in check.said
    assert SECRET not in done.err + check.said
