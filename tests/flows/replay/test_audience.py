"""What people see while a replay runs."""

import io
from datetime import UTC, datetime

from rich.console import Console

from flows.replay.audience import Terminal, quality_text, split_text
from flows.replay.player import Scene

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def scene(done, quality=0.75, split=None):
    return Scene(done, 200, AT, ("auc", quality), split or {"v1.0.0": 0.9, "v1.1.0": 0.1})


def test_without_a_terminal_a_line_is_printed_once_per_twentieth():
    out = io.StringIO()
    with Terminal(Console(file=out, width=200)) as terminal:
        for done in range(201):
            terminal.saw(scene(done))

    lines = out.getvalue().splitlines()
    assert len(lines) == 21
    assert lines[-1].split(maxsplit=1) == ["2026-03-01", "200 of 200 rows, auc 0.75, v1.0.0 90% v1.1.0 10%"]


def test_what_is_told_keeps_its_brackets():
    out = io.StringIO()
    Terminal(Console(file=out, width=200)).told("loss [0.1, 0.2]")

    assert "loss [0.1, 0.2]" in out.getvalue()


def test_a_metric_that_is_not_defined_yet_is_a_dash():
    assert quality_text(scene(1, quality=float("nan"))) == "auc -"
    assert split_text(scene(1, split={"v1.0.0": 1.0})) == "v1.0.0 100%"
