"""What is written down arrives, once, however servers behave."""

import itertools
import logging
import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from flows.notify import forward, notice_of, send_first, settle, tell_notice
from flows.notify.address import Address
from flows.notify.direct import tell_directly
from flows.notify.messages import moved, promotion_comes
from flows.notify.outbox import whom
from flows.notify.send import send_due
from registry.errors import StoreUnavailable
from registry.store.registry import Registry


def status_of(registry):
    return {one.key: one.status for one in registry.notices()}


def json_url(receiver, path=""):
    return f"json://127.0.0.1:{receiver.port}{path}"


@pytest.fixture
def nowhere():
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"json://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="understudy.notify")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "understudy.notify"]


def test_everybody_gets_it_once(where, registry, receiving, told_to, waiting):
    first, second = receiving(), receiving()
    told_to(json_url(first), json_url(second))
    waiting("one", "two")

    done = send_due(where, registry)
    again = send_due(where, registry)

    assert (done.sent, again.sent) == (2, 0)
    assert first.titles == second.titles == ["one", "two"]
    assert status_of(registry) == {"one": "sent", "two": "sent"}


def test_a_server_that_answers_500_twice_gets_it_exactly_once(where, registry, receiver, told_to, waiting, hurried):
    receiver.answers += [500, 500]
    told_to(json_url(receiver))
    waiting("one")

    for _ in range(4):
        send_due(where, registry)
        hurried()

    assert (receiver.tries, receiver.titles) == (3, ["one"])
    assert registry.notices()[0].attempts == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_delivery_and_takes_no_token_elsewhere(where, registry, receiving, told_to, waiting, status):
    first, other = receiving(), receiving()
    first.answers, first.elsewhere = [status], f"http://localhost:{other.port}/"
    told_to(json_url(first, "?+X-Token=s3cret"))
    waiting("one")

    assert send_due(where, registry).missed == 1
    assert (first.tries, other.tries) == (1, 0)


def test_one_failing_address_repeats_nothing_at_the_others(
    where, registry, receiver, nowhere, told_to, waiting, hurried
):
    told_to(nowhere, json_url(receiver))
    waiting("one")

    for _ in range(3):
        send_due(where, registry)
        hurried()

    assert receiver.titles == ["one"]
    assert registry.notices()[0].missed == (Address(nowhere).name,)


def test_a_server_that_is_down_for_long_gets_it_when_it_is_back(
    where, registry, nowhere, receiving, told_to, waiting, hurried
):
    told_to(nowhere)
    waiting("one")
    for _ in range(7):
        send_due(where, registry)
        hurried()
    assert status_of(registry) == {"one": "waiting"}

    back = receiving(port=int(nowhere.rpartition(":")[2]))
    send_due(where, registry)

    assert back.titles == ["one"]
    assert status_of(registry) == {"one": "sent"}


def test_what_nobody_ever_takes_is_given_up_and_said_in_the_log(
    where, registry, nowhere, told_to, waiting, hurried, said
):
    told_to(f"{nowhere}/s3cret", tries=3)
    waiting("one")
    for _ in range(5):
        send_due(where, registry)
        hurried()

    assert (registry.notices()[0].status, registry.notices()[0].attempts) == ("given_up", 3)
    assert any(line.startswith("one: It moves. (not delivered to json:") for line in said())
    assert not any("s3cret" in line for line in said())


def test_tries_grow_apart_to_about_a_day(where, registry, nowhere, told_to, waiting, hurried):
    told_to(nowhere)
    waiting("one")
    gaps = []
    for _ in range(7):
        send_due(where, registry)
        gaps.append((registry.notices()[0].next_at - datetime.now(UTC)).total_seconds())
        hurried()

    assert 0 < gaps[0] < 6
    assert all(later > earlier * 2 for earlier, later in itertools.pairwise(gaps))
    assert 0.75 * 86_400 < sum(gaps) < 1.25 * 86_400


def test_a_hanging_server_keeps_the_others_from_nothing(where, registry, receiving, told_to, waiting):
    hanging, well = receiving(), receiving()
    hanging.hangs = 30
    told_to(json_url(hanging, "?rto=0.5"), json_url(well))
    waiting(*[f"n{number}" for number in range(20)])
    began = time.monotonic()

    done = send_due(where, registry)

    assert (done.missed, len(well.titles), hanging.tries) == (20, 20, 2)
    assert time.monotonic() - began < 5


def test_an_address_that_takes_longer_than_a_round_counts_as_missed(where, registry, told_to, waiting):
    gate = threading.Event()
    told_to("json://127.0.0.1:9")
    waiting("one")

    done = send_due(where, registry, timeout=0.2, through=lambda address: lambda *_: gate.wait(10))
    gate.set()

    assert (done.missed, status_of(registry)) == (1, {"one": "waiting"})


def test_a_corrected_address_gets_what_its_forerunner_missed(
    where, registry, receiver, nowhere, told_to, waiting, hurried
):
    told_to(nowhere)
    waiting("one")
    send_due(where, registry)
    told_to(json_url(receiver))
    hurried()

    send_due(where, registry)

    assert receiver.titles == ["one"]


def test_people_choose_what_they_hear(where, registry, receiver, told_to, waiting, said):
    told_to(json_url(receiver), only=["rollout.*", "drift.found"])
    waiting("moves", kind="rollout.moved")
    waiting("drifts", kind="drift.found")
    waiting("given", kind="approval.given")

    send_due(where, registry)

    assert sorted(receiver.titles) == ["drifts", "moves"]
    assert status_of(registry)["given"] == "logged"
    assert said() == ["given: It moves."]


def test_what_belongs_to_no_model_is_told_to_the_people_of_all(where, registry, receiving, told_to, waiting):
    ours, theirs = receiving(), receiving()
    told_to(json_url(ours))
    told_to(json_url(theirs), json_url(ours), model="price")
    waiting("a run crashed", model="", kind="run.crashed")

    send_due(where, registry)

    assert ours.titles == theirs.titles == ["a run crashed"]


def test_what_belongs_to_no_model_is_told_to_those_who_want_to_hear_it(where, registry, receiving, told_to, waiting):
    ours, theirs = receiving(), receiving()
    told_to(json_url(ours), only=["rollout.*"])
    told_to(json_url(theirs), model="price", only=["run.*"])
    waiting("a run crashed", model="", kind="run.crashed")

    send_due(where, registry)

    assert (ours.titles, theirs.titles) == ([], ["a run crashed"])


def test_without_addresses_the_log_is_told_at_once(where, registry, told_to, said):
    told_to()

    tell_notice(where, registry, notice_of(moved("churn", "r-0001", "v1.1.0", "10 %"), model="churn", key="k"))
    tell_notice(where, registry, notice_of(moved("churn", "r-0001", "v1.1.0", "10 %"), model="churn", key="k"))

    assert said() == ["churn: v1.1.0 moves on: r-0001: 10 %."]
    assert status_of(registry) == {"k": "logged"}


def test_of_senders_at_the_same_moment_one_sends(where, registry, receiver, told_to, waiting):
    receiver.hangs = 0.05
    told_to(json_url(receiver))
    waiting("one", "two", "three")
    outcomes = []
    senders = [threading.Thread(target=lambda: outcomes.append(send_due(where, registry))) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert receiver.titles == ["one", "two", "three"]
    assert sum(one.busy for one in outcomes) >= 1


def test_nothing_is_sent_where_nothing_can_be_noted(where, registry, receiver, told_to, waiting, monkeypatch):
    told_to(json_url(receiver))
    waiting("one")

    def full(*_, **__):
        raise StoreUnavailable("It was not noted.", "The disk is full.", "Make room.")

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "mark_notice", full)
        with pytest.raises(StoreUnavailable):
            send_due(where, registry)
    assert receiver.tries == 0

    assert send_due(where, registry).sent == 1


def test_a_hundred_at_once_all_arrive_once_and_in_order(where, registry, receiver, told_to, waiting):
    told_to(json_url(receiver))
    keys = [f"n{number:04d}" for number in range(100)]
    waiting(*keys)

    assert send_due(where, registry).sent == 100
    assert receiver.titles == keys


def test_an_update_waits_until_people_have_heard_of_it(where, registry, receiver, told_to):
    told_to(json_url(receiver))
    notice = notice_of(promotion_comes("churn", "r-0001", "v1.1.0", "v1.0.0"), model="churn", key="r-0001:before")

    assert send_first(where, registry, notice)
    assert receiver.titles == ["churn: v1.1.0 is about to become the champion"]
    assert send_first(where, registry, notice)
    assert len(receiver.titles) == 1


def test_an_update_waits_for_a_hanging_server_only_a_little(where, registry, receiver, told_to):
    receiver.hangs = 1.5
    told_to(json_url(receiver))
    notice = notice_of(promotion_comes("churn", "r-0001", "v1.1.0", "v1.0.0"), model="churn", key="r-0001:before")
    began = time.monotonic()

    assert not send_first(where, registry, notice, patience=0.3)
    assert time.monotonic() - began < 1.2
    assert status_of(registry) == {"r-0001:before": "waiting"}


def test_with_the_registry_away_people_are_told_directly(where, registry, receiver, told_to, monkeypatch):
    told_to(json_url(receiver))

    def away(*_, **__):
        raise StoreUnavailable("It was not read.", "It is away.", "Start it.")

    monkeypatch.setattr(Registry, "add_notice", away)
    tell_notice(where, registry, notice_of(moved("churn", "r-0001", "v1.1.0", "10 %"), model="churn", key="k"))

    assert settle(10)
    assert receiver.titles == ["churn: v1.1.0 moves on"]


def test_a_direct_message_that_cannot_be_delivered_is_in_the_log(where, nowhere, told_to, said):
    told_to(nowhere)
    tell_directly(whom(where, "churn"), notice_of(moved("churn", "r-0001", "v1.1.0", "10 %"), model="churn", key="k"))

    assert settle(10)
    assert any("not delivered to json:" in line for line in said())


def test_a_message_about_an_unknown_model_goes_to_the_log(where, registry, waiting, said):
    waiting("one", model="nobody")

    forward(where, registry)

    assert said() == ["one: It moves."]


@pytest.mark.parametrize("poison", ["ann.smith@example.org", "/home/ann/key.pem", "sk4Jq8Zr2Wv9Xy7Lm3Np5Tt1"])
def test_whoever_wrote_a_notice_poison_does_not_leave(where, registry, receiver, told_to, waiting, said, poison):
    told_to(receiver.url)
    told_to(model="price")
    waiting(f"rolled back for {poison}", body=f"error: {poison}")
    waiting(f"of the log for {poison}", body=f"error: {poison}", model="price")

    send_due(where, registry)

    assert len(receiver.heard) == len(said()) == 1
    assert poison not in str(receiver.heard) + str(said())
