"""Nothing is shown or changed without a token, and wrong ones are not tried for long."""

import os

import pytest
from admin_making import SAID, SHARED, TOKENS, Admin
from hypothesis import given
from hypothesis import strategies as st
from router_live import plan_after
from router_making import Clock

from router.admin import admin_app
from router.admin.failures import Failures
from router.board import Board
from router.breaker import Circuit
from router.report import Report, Stop

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")


def walk(app):
    paths = {route.path.replace("{model}", "m") for route in app.routes} | {
        "/",
        "/docs",
        "/openapi.json",
        "/v1/nothing",
    }
    return [(method, path) for path in sorted(paths) for method in METHODS]


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer wrong"}])
def test_no_route_answers_or_changes_anything_without_a_token(admin, registry, headers):
    before = registry.audit()
    for method, path in walk(admin.app):
        stranger = admin.holding("", f"10.0.0.{len(path)}.{method}")
        answer = stranger.request(method, path, headers, json=SAID)
        if path == "/healthz":
            assert (method in ("GET", "HEAD")) == (answer.status_code == 200)
            continue
        assert answer.status_code in (401, 429), (method, path)
        assert method == "HEAD" or set(answer.json()) == {"error", "why", "mend"}

    assert registry.audit() == before


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_a_role_reaches_as_far_as_it_says_and_no_further(holders, registry, role):
    before = registry.audit()
    reach = {"viewer": set(), "operator": {"rollback", "pause", "resume", "advance"}}[role]
    for verb in ("rollback", "pause", "resume", "advance"):
        allowed = holders[role].post(f"/v1/models/m/{verb}", json={}).status_code == 422
        assert allowed == (verb in reach), verb
    refused = holders[role].put("/v1/models/m/plan", content=plan_after(registry, 100_000).to_json())

    assert refused.status_code == 403
    assert refused.json()["why"] == f"The token is {role}'s, but it takes approver."
    assert holders[role].get("/v1/models/m/plan").status_code == 200
    assert registry.audit() == before


@pytest.mark.parametrize("given", ["abc-123", "x" * 128])
def test_the_id_of_a_request_comes_back(admin, given):
    for path in ("/healthz", "/v1/models", "/v1/nothing"):
        assert admin.get(path, headers={"X-Request-Id": given}).headers["x-request-id"] == given
    assert Admin(admin.app, "wrong").get("/v1/models", headers={"X-Request-Id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "é".encode()])
def test_an_id_that_is_none_is_replaced(admin, given):
    assert len(admin.get("/healthz", headers={"X-Request-Id": given}).headers["x-request-id"]) == 32


def test_what_breaks_is_told_under_its_id_and_nothing_else_of_it(settings):
    answer = Admin(admin_app(None, SHARED, settings)).get("/v1/models", headers={"X-Request-Id": "seven"})

    assert answer.status_code == 500
    assert answer.json()["mend"] == "Look for request seven there."
    assert "NoneType" not in answer.text


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limited(settings, keeper, clock):
    settings.tokens_file.write_text(f"ann viewer {TOKENS['viewer']}\n")
    return Admin(admin_app(keeper, SHARED, settings, failures=Failures(3, 60.0, clock)))


def statuses(admin, token, count, address="127.0.0.1"):
    return [admin.holding(token, address).get("/v1/models").status_code for _ in range(count)]


def test_after_some_wrong_tokens_an_address_waits_and_no_longer(limited, clock):
    assert statuses(limited, "wrong", 5) == [401, 401, 401, 429, 429]
    assert limited.holding("wrong").get("/v1/models").headers["retry-after"] == "60"
    clock.now = 59.0
    assert statuses(limited, "wrong", 50) == [429] * 50
    clock.now = 60.0
    assert statuses(limited, SHARED, 1) == [200]


def test_a_short_guess_that_is_right_while_the_address_waits_is_not_told_apart(limited):
    statuses(limited, "wrong", 3)
    right, wrong = (limited.holding(token).get("/v1/models") for token in (SHARED, "wrong"))

    assert right.status_code == wrong.status_code == 429
    assert right.json() == wrong.json()


def test_a_token_that_nobody_can_guess_never_waits(limited):
    statuses(limited, "wrong", 9)

    assert statuses(limited, TOKENS["viewer"], 3) == [200] * 3
    assert statuses(limited, "v" * 15, 1) == statuses(limited, "w" * 16, 1) == [429]


def test_one_address_does_not_make_another_wait(limited):
    statuses(limited, "wrong", 9, "10.0.0.1")

    assert statuses(limited, "wrong", 1, "10.0.0.2") == [401]
    assert statuses(limited, SHARED, 1) == [200]


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_address_ever_waits_longer_than_the_window(gaps):
    clock = Clock()
    failures = Failures(5, 60.0, clock)
    for gap in gaps:
        clock.now += gap
        failures.failed("a")
        assert 0 <= failures.wait_of("a") <= 60.0
    clock.now += 60.0

    assert failures.wait_of("a") == 0


def test_what_is_remembered_of_strangers_is_bounded():
    failures = Failures()
    for number in range(10_000):
        failures.failed(str(number))

    assert len(failures._wrong) <= 4096


def test_workers_are_shown_as_the_board_has_them_without_asking_one(admin, settings):
    board = Board.open(settings.run_dir, "worker")
    open_one = ("m", "canary", "challenger", "v1.1.0", Circuit(opened_at=1.0, since=1.0))
    circuits = [open_one, ("n", "first", "b", "v1.0.0", Circuit())]
    stops = {"m": Stop(2, "errors"), "n": Stop(0, "old")}
    board.publish(Report(epochs={"m": 2}, circuits=circuits, stops=stops, stopped={"m": "errors"}))

    [worker] = admin.get("/v1/workers").json()["workers"]
    assert (worker["worker"], worker["epochs"], worker["unlogged"]) == (os.getpid(), {"m": 2}, 0)
    [state] = admin.get("/v1/models/m/breakers").json()["workers"].values()
    assert state == {"breakers": {"challenger": "open"}, "stopped": "errors"}
    board.close()
