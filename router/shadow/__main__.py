"""`python -m router.shadow`: follow the event log for ever."""

import logging
import os
import time
from contextlib import suppress

from registry.errors import Refusal
from registry.home import Settings
from registry.reader import PlanReader
from router.shadow.limits import Limits
from router.shadow.shadows import Shadows
from router.shadow.sitter import Sitter

log = logging.getLogger("understudy.shadow")
_POLL_S = 0.05


def main() -> None:
    """Run until killed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with suppress(OSError):  # callers come first, whoever else wants the processor
        os.nice(19)
    settings, limits = Settings().prepare(), Limits()
    shadows = Shadows(
        settings.events_dir,
        settings.run_dir / "shadow.json",
        PlanReader(settings.registry_url).version,
        lambda version: Sitter(version, settings.models_dir, limits),
        limits,
    )
    log.info("shadow follows %s", settings.events_dir)
    while True:
        try:
            shadows.look()
            time.sleep(_POLL_S)
        except (OSError, Refusal):
            log.exception("shadow could not read or write; trying again")
            time.sleep(1)


if __name__ == "__main__":
    main()
