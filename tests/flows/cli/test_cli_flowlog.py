"""What the log of a flow shows on the terminal."""

import io
import logging

import pytest

from flows.cli import flowlog
from flows.errors import DataError


@pytest.fixture
def terminal(monkeypatch):
    """A flow's logger, and what it shows on the terminal and keeps for the server."""
    monkeypatch.setattr(flowlog, "_LOGGERS", ("a-flow",))
    shown, kept, logger = io.StringIO(), [], logging.getLogger("a-flow")
    server, console = logging.Handler(), logging.StreamHandler(shown)
    server.emit = lambda record: kept.append(logging.Formatter().format(record))
    logger.addHandler(server)
    logging.getLogger().addHandler(console)
    flowlog.quieten(debugging=False)
    flowlog.quieten(debugging=False)
    yield logger, shown, kept
    logging.getLogger().removeHandler(console)
    logger.handlers.clear()
    logger.filters.clear()


def test_a_refusal_is_kept_in_words_and_left_to_the_commands_last_lines(terminal):
    logger, shown, kept = terminal
    try:
        raise DataError("Nothing was trained.", "Too few rows.", "Wait.")
    except DataError:
        logger.exception("Encountered an exception")
    logger.error("Finished in state Failed('Nothing was trained.')")

    assert shown.getvalue() == ""
    assert kept[0] == "Nothing was trained. Why: Too few rows. Mend: Wait."


def test_a_mistake_of_ours_is_shown_in_a_line_and_kept_with_its_traceback(terminal):
    logger, shown, kept = terminal
    try:
        raise RuntimeError("out of order")
    except RuntimeError:
        logger.exception("Task run failed; retry %d", 1)

    assert shown.getvalue() == "Task run failed; retry 1 RuntimeError: out of order\n"
    assert "Traceback" in kept[0]


def test_what_goes_well_is_shown_as_it_is(terminal):
    logger, shown, _ = terminal
    logger.warning("%s rows", 7)

    assert shown.getvalue() == "7 rows\n"


def test_a_caller_may_say_that_there_is_no_exception(terminal):
    logger, shown, _ = terminal
    logger.warning("trying again", exc_info=False)

    assert shown.getvalue() == "trying again\n"
