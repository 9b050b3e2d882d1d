"""What the log of a flow shows on the terminal: no traceback, and no refusal that the command tells anyway."""

import copy
import logging

from registry.errors import Refusal

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


def quieten(*, debugging: bool) -> None:
    """Filter what is logged and what is shown; the Prefect server still gets the tracebacks of our mistakes."""
    if debugging:
        return
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_in_words)
    for handler in {*logging.getLogger().handlers, *logging.getLogger("prefect").handlers}:
        if isinstance(handler, logging.StreamHandler) and not any(isinstance(one, _Brief) for one in handler.filters):
            handler.addFilter(_Brief(handler))


def _in_words(record: logging.LogRecord) -> bool:
    """A refusal says all in its words; Prefect would log where in our code it was raised."""
    if record.exc_info and isinstance(record.exc_info[1], Refusal):
        record.msg, record.args, record.exc_info = str(record.exc_info[1]), (), None
        record.refused = True
    return True


class _Brief(logging.Filter):
    """Shows an exception as one line; leaves out what the command's last words repeat."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "refused", False) or "Finished in state Failed(" in record.getMessage():
            return False
        if not record.exc_info or record.exc_info[1] is None:  # a caller may have said exc_info=False
            return True
        brief, error = copy.copy(record), record.exc_info[1]
        brief.msg, brief.args = f"{record.getMessage()} {type(error).__name__}: {error}", ()
        brief.exc_info = brief.exc_text = None
        self._handler.emit(brief)
        return False
