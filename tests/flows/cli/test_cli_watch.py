"""The live view: a real registry, a real admin port with traffic, and terminals of all widths."""

import dataclasses
import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from datetime import timedelta

import msgspec
import pytest
from cli_making import NOON
from rich.console import Console

from flows.cli.live import looking
from flows.cli.live.bars import gauge, interval, share_bar
from flows.cli.live.guards import split_guards
from flows.cli.live.looking import watching
from flows.cli.live.scene import fitted, scene
from registry.home import Settings
from registry.records.live import Moments, VariantMetrics
from registry.records.plan import Guards
from registry.store.registry import Registry

WHY = ("--reason", "because")
AT = ("--as-of", NOON.isoformat())


def plan():
    with Registry.open(Settings().registry_url) as registry:
        return registry.plan("churn")


@pytest.fixture
def canary(control, furnished, monkeypatch):
    """A rollout at 50 %, and its first requests; the champion errs more. The router is never left alone."""
    monkeypatch.setattr(looking, "REST", 0.0)
    furnished("rollout", "start", "churn", "--steps", "50%:1d,100%:0s", *WHY, *AT)
    with Registry.open(Settings().registry_url) as registry:
        for who, role in (("ann", "ml_lead"), ("bob", "business_owner")):
            registry.sign("r-0001", actor=who, role=role, reason="read the report", at=NOON)
    furnished("rollout", "advance", "churn", *WHY, *AT)
    control.take(plan())
    return control


def drawn(look, width=100, **wanted):
    paper = Console(file=io.StringIO(), width=width, **wanted)
    paper.print(scene(look, width))
    return paper.file.getvalue()


def test_one_look_shows_steps_share_arms_verdict_guards_and_events(canary, furnished):
    shown = furnished("watch", "churn", "--once").out

    for said in (
        "▶ 50 %",
        "champion 50 %",
        "challenger 50 %",
        "req/s",
        "verdict",
        "goal",
        "guards",
        "limit 2%",
        "events",
    ):
        assert said in shown
    assert "rollout.moved" in shown
    assert "0.0100" in shown  # the challenger is right with 0.9: its loss


def test_the_picture_shows_the_weight_that_callers_meet_and_what_holds_it(canary):
    with watching(Settings(), "churn") as watcher:
        look = watcher.look()
    known, seen = look.books.known, look.traffic.seen
    moved = dataclasses.replace(known, rollout=msgspec.structs.replace(known.rollout, weight=847_000))
    held = dataclasses.replace(seen, outcome="error", said="none of 200 requests has a label yet")
    changed = dataclasses.replace(
        look,
        books=dataclasses.replace(look.books, known=moved),
        traffic=dataclasses.replace(look.traffic, seen=held),
    )

    shown = drawn(changed)

    assert "▶ 84.7 %" in shown
    assert "nothing moves it forward: none of 200 requests has a label yet" in shown


def test_programs_get_the_same_in_one_object(canary, furnished):
    told = furnished("watch", "churn", "--json").json

    assert {"plan", "rollout", "metrics", "asked", "watch", "seen", "rates", "events", "away"} < set(told)
    assert told["metrics"]["phases"][-1]["variants"]["challenger"]["loss"]["n"] == 200
    assert told["away"] == {}


def test_a_stream_is_one_object_per_line(canary, furnished):
    lines = furnished("watch", "churn", "--json", "--every", "0.2", "--looks", "3").out.splitlines()
    found = [json.loads(line) for line in lines]

    assert len(found) == 3
    assert found[0]["rates"] == {}
    assert found[0]["counted_at"] == found[0]["at"] < found[2]["at"]


def test_no_line_is_wider_than_the_terminal_and_no_frame_is_broken(canary):
    with watching(Settings(), "churn") as watcher:
        look = watcher.look()

    for width in (60, 80, 100, 119, 120, 140, 200):
        lines = drawn(look, width).splitlines()
        assert {len(line) for line in lines} == {width}
        assert all(line[0] in "╭│╰" and line[-1] in "╮│╯" for line in lines)


def test_without_colour_nothing_but_letters_and_bars_is_written(canary, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    with watching(Settings(), "churn") as watcher:
        shown = drawn(watcher.look(), force_terminal=True)

    assert not re.search(r"\x1b\[(?:\d+;)*3[0-7]", shown)


def test_a_picture_fits_a_low_terminal(canary):
    with watching(Settings(), "churn") as watcher:
        look = watcher.look()
    heights = {}
    for height in (60, 30, 25):
        paper = Console(file=io.StringIO(), width=100, height=height, force_terminal=True)
        heights[height] = len(paper.render_lines(fitted(look, paper, keys=True), pad=False))

    assert all(taken <= height for height, taken in heights.items())


def test_requests_per_second_are_those_between_two_looks(canary):
    with watching(Settings(), "churn") as watcher:
        assert watcher.look().rates == {}
        began = time.monotonic()
        canary.take(plan(), requests=50)
        found = watcher.look().rates
        seconds = time.monotonic() - began

    assert found["challenger"] == pytest.approx(50 / seconds, rel=0.5)
    assert found["champion"] == pytest.approx(50 / seconds, rel=0.5)


def test_a_router_that_goes_away_is_told_and_what_it_said_stays(canary):
    with watching(Settings(), "churn") as watcher:
        before = watcher.look()
        canary.stop()
        first, later = watcher.look(), watcher.look()
        shown = drawn(later)
        canary.start()
        back = watcher.look()

    assert before.away == back.away == {}
    assert first.away["router"].since == later.away["router"].since
    assert later.traffic.metrics == before.traffic.metrics
    assert f"router away since {later.away['router'].since:%H:%M:%S}" in shown


def test_a_registry_that_goes_away_is_told_and_comes_back(canary):
    file = Settings().registry_file
    with watching(Settings(), "churn") as watcher:
        before = watcher.look()
        watcher._registry.close()
        kept = {path: path.read_bytes() for path in file.parent.glob("registry.sqlite*")}
        for path in kept:
            path.unlink()
        file.write_bytes(b"no database at all" * 99)
        away = watcher.look()
        watcher._registry.close()
        for path, raw in kept.items():
            path.write_bytes(raw)
        back = watcher.look()

    assert set(away.away) >= {"registry"}
    assert away.books.plan == before.books.plan
    assert "registry" not in back.away


def test_a_router_that_fails_the_challenger_shows_how_near_its_limits_are(control, furnished):
    furnished("rollout", "start", "churn", "--steps", "50%:1d,100%:0s", *WHY, *AT)
    with Registry.open(Settings().registry_url) as registry:
        for who, role in (("ann", "ml_lead"), ("bob", "business_owner")):
            registry.sign("r-0001", actor=who, role=role, reason="read the report", at=NOON)
    furnished("rollout", "advance", "churn", *WHY, *AT)
    control.take(plan(), requests=5, failing=("challenger",))
    shown = furnished("watch", "churn", "--once").out

    assert re.search(r"errors +█+ +100\.00% +limit 2%", shown)


def test_a_shadow_is_a_line_of_its_own(control, furnished):
    furnished("rollout", "start", "churn", *WHY, *AT)
    furnished("rollout", "advance", "churn", *WHY, *AT)
    control.take(plan())
    shown = furnished("watch", "churn", "--once").out

    assert "v1.1.0 in shadow" in shown
    assert re.search(r"shadow +v1\.1\.0", shown)


def test_the_gate_shows_who_signed_and_who_is_missing(control, furnished):
    furnished("rollout", "start", "churn", "--steps", "50%:1d,100%:0s", *WHY, *AT)
    with Registry.open(Settings().registry_url) as registry:
        registry.sign("r-0001", actor="ann", role="ml_lead", reason="read the report", at=NOON)
    shown = furnished("watch", "churn", "--once").out

    assert "may it answer the first caller?" in shown
    assert "✓ ml_lead: ann" in shown
    assert "○ business_owner: nobody yet" in shown


def test_without_a_name_the_model_that_is_rolled_out_is_watched(canary, furnished):
    assert furnished("watch", "--json").json["model"] == "churn"


def test_without_a_name_and_without_models_somebody_must_name_one(understudy):
    assert "no model was named" in understudy("watch", "--once").refused()


def test_a_look_costs_the_router_two_questions(canary):
    with watching(Settings(), "churn") as watcher:
        canary.asked.clear()
        watcher.look()

    assert canary.asked == ["/v1/models/churn/metrics", "/v1/models/churn/events"]


def test_a_router_that_counts_slowly_is_left_alone_for_a_while(canary, monkeypatch):
    monkeypatch.setattr(looking, "REST", 20.0)
    canary.delay = 0.1
    canary.asked.clear()
    with watching(Settings(), "churn") as watcher:
        looks = [watcher.look() for _ in range(5)]
        later = dataclasses.replace(looks[0], at=looks[0].at + timedelta(seconds=9))
        shown = drawn(later)

    assert canary.asked.count("/v1/models/churn/metrics") == 1
    assert {one.traffic.at for one in looks} == {looks[0].at}
    assert f"counts of {looks[0].at:%H:%M:%S}" in shown


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "Ctrl-C"])
def test_in_a_terminal_a_key_ends_it_and_the_terminal_is_as_before(canary, key):
    code, said = _in_a_terminal(["watch", "churn", "--every", "0.5"], key)

    assert "churn" in said
    assert "q quits" in said
    assert code == (0 if key == b"q" else 130)
    assert said.rstrip().endswith("\x1b[?25h") or "\x1b[?1049l" in said[-200:]


def _in_a_terminal(words, key):
    """Run it in a pseudo terminal of its own; press the key once a picture is there."""
    main, side = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    command = [sys.executable, "-m", "flows.cli.main", *words]
    process = subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True, preexec_fn=_own_terminal
    )
    os.close(side)
    said = _until(main, "q quits")
    os.write(main, key)
    said += _until(main, None)
    code = process.wait(30)
    os.close(main)
    return code, said


def _own_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _until(main, mark):
    said, until = "", time.monotonic() + 30
    while time.monotonic() < until and (mark is None or mark not in said):
        if select.select([main], [], [], 0.2)[0]:
            try:
                raw = os.read(main, 65536)
            except OSError:
                break
            if not raw:
                break
            said += raw.decode(errors="replace")
    return said


@pytest.mark.parametrize(("value", "filled"), [(0.0, 0), (0.001, 1), (0.01, 5), (0.02, 10), (5.0, 10), (-1.0, 0)])
def test_a_gauge_is_full_at_its_limit_and_never_overflows(value, filled):
    drawn = gauge(value, 0.02, 10).plain

    assert len(drawn) == 10
    assert drawn.count("█") == filled


@pytest.mark.parametrize(("ours", "used"), [(5.0, 0.4), (12.0, 1.1)])
def test_milliseconds_are_tolerated_where_an_answer_takes_one(ours, used):
    champion, challenger = (
        VariantMetrics(version=name, latency_ms=Moments(n=99, mean=mean))
        for name, mean in (("v1.0.0", 1.0), ("v1.1.0", ours))
    )
    latency = next(one for one in split_guards(Guards(), champion, challenger) if one.name == "latency")

    assert latency.value / latency.reach == pytest.approx(used, abs=0.06)
    assert latency.said == " and 10 ms"


def test_a_gauge_of_nothing_known_is_dotted():
    assert gauge(None, 0.02, 5).plain == gauge(float("nan"), 0.02, 5).plain == "·····"


@pytest.mark.parametrize(
    ("low", "estimate", "high", "goal"),
    [(-1, 0, 1, 0.5), (None, 0.2, None, 0.1), (0.1, 0.2, 0.3, 0), (0, 0, 0, 0), (-3, -2, -1, 4)],
)
def test_an_interval_has_its_point_zero_and_ends_inside_the_line(low, estimate, high, goal):
    drawn = interval(low, estimate, high, goal, 40).plain

    assert len(drawn) == 40
    assert drawn.count("●") == 1
    assert ("◂" in drawn) == (low is None)


def test_whoever_has_a_share_has_a_character():
    drawn = share_bar([(0.999, "a"), (0.001, "b")], 20)

    assert drawn.plain == "█" * 20
    assert [(one.start, one.end, one.style) for one in drawn.spans] == [(0, 19, "a"), (19, 20, "b")]
