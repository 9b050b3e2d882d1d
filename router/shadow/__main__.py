"""`python -m router.shadow`: follow the event log for ever."""

import logging
import os
import time
from contextlib import suppress

from registry.home import Settings
from registry.reader import PlanReader
from router.board import Board
from router.report import Report
from router.shadow.limits import Limits
from router.shadow.shadows import Shadows
from router.shadow.sitter import Sitter

log = logging.getLogger("understudy.shadow")
_POLL_S, _TELL_S = 0.05, 0.5


def main() -> None:
    """Run until killed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with suppress(OSError):  # callers come first, whoever else wants the processor
        os.nice(19)
    settings, limits = Settings().prepare(), Limits()
    shadows = Shadows(
        settings.events_dir,
        settings.shadow_position,
        PlanReader(settings.registry_url).version,
        lambda version: Sitter(version, settings.models_dir, limits),
        limits,
    )
    board, told_at = Board.join(settings.run_dir, "shadow"), 0.0
    if board.inherited is not None:
        shadows.copies, board.inherited = board.inherited.copies, None
    log.info("shadow follows %s", settings.events_dir)
    while True:
        try:
            shadows.look()
            if time.monotonic() - told_at >= _TELL_S:
                told_at = time.monotonic()
                board.publish(Report(copies=shadows.counted()))
            time.sleep(_POLL_S)
        except Exception:  # whatever it is, the copies wait in the log
            log.exception("shadow stumbled; trying again")
            time.sleep(1)


if __name__ == "__main__":
    main()
