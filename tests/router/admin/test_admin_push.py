"""What happened reaches the flows' server, now or when it is back, each once and in order."""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from router_live import wait_for

from router.admin.push import Note, Push, event_of


class Prefect:
    """Takes events as Prefect's server does: 204, and an id that it knows is no second event."""

    def __init__(self) -> None:
        self.events, self.status = {}, 204
        prefect = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if prefect.status == 204 and self.path == "/api/events":
                    prefect.events |= {event["id"]: event for event in told}
                self.send_response(prefect.status if self.path == "/api/events" else 404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/api"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def said(self) -> list[str]:
        return [event["payload"]["said"] for event in self.events.values()]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def prefect():
    running = Prefect()
    yield running
    running.close()


@pytest.fixture
def push(prefect, keeper, settings):
    return Push(prefect.url, keeper.reading, settings.run_dir / "pushed")


def test_every_note_is_pushed_once_and_in_order(prefect, push, keeper):
    for number in range(250):
        keeper.note("m", "rolled_back", str(number))
    with httpx.Client() as client:
        sent = [push.push(client) for _ in range(4)]

    assert sent == [100, 100, 50, 0]
    assert prefect.said() == [str(number) for number in range(250)]
    event = next(iter(prefect.events.values()))
    assert (event["event"], event["resource"]["prefect.resource.id"]) == (
        "understudy.router.rolled_back",
        "understudy.model.m",
    )


@pytest.mark.parametrize("kind", ["agreed", "steered"])
def test_what_people_do_is_the_event_that_the_commands_send(kind):
    event = event_of(Note(1, "m", 0.0, kind, "r-0001: by plan 3"))

    assert event["event"] == "understudy.rollout.steered"
    assert event["payload"]["model"] == "m"


def test_what_a_server_that_was_away_missed_is_sent_when_it_is_back(prefect, push, keeper, settings):
    keeper.note("m", "stopped", "one")
    prefect.status = 503
    with httpx.Client() as client:
        with pytest.raises(httpx.HTTPError):
            push.push(client)
        prefect.status = 204
        again = Push(prefect.url, keeper.reading, settings.run_dir / "pushed")  # another process by now
        assert (again.push(client), again.push(client)) == (1, 0)

    assert prefect.said() == ["one"]


def test_a_position_that_was_lost_makes_no_second_event(prefect, push, keeper, settings):
    keeper.note("m", "stopped", "one")
    with httpx.Client() as client:
        push.push(client)
        (settings.run_dir / "pushed").write_text("torn")
        assert push.push(client) == 1

    assert prefect.said() == ["one"]


def test_the_thread_goes_on_whatever_fails_and_stops_when_told(prefect, push, keeper):
    prefect.status, stop = 500, threading.Event()
    thread = threading.Thread(target=push.run, args=(stop,))
    thread.start()
    keeper.note("m", "stopped", "one")
    wait_for(lambda: setattr(prefect, "status", 204) or prefect.said() == ["one"], "the event", 20)
    stop.set()
    thread.join(10)

    assert not thread.is_alive()


def test_an_event_is_one_that_prefect_understands():
    from prefect.events.schemas.events import Event

    event = Event.model_validate(event_of(Note(7, "m", 5.0, "rolled_back", "errors (by ann)")))

    assert event.id == uuid.UUID(event_of(Note(7, "m", 5.0, "rolled_back", "errors (by ann)"))["id"])
    assert event.resource.id == "understudy.model.m"
