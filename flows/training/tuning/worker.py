"""Join a study that runs elsewhere: `python -m flows.training.tuning.worker --help`."""

import argparse
import os
import sys
from pathlib import Path

from flows.training.tuning.shared import join


def main(given: list[str] | None = None) -> int:
    """Take trials until the study has as many as it shall have."""
    parser = argparse.ArgumentParser(prog="python -m flows.training.tuning.worker", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the study, e.g. studies/MODEL/EVENT/xgboost-0a1b...: its name")
    parser.add_argument("--trials", type=int, required=True, help="of the whole study, as in training.trials")
    parser.add_argument("--seconds", type=float, help="after which no new trial is begun")
    parser.add_argument("--storage", help="Optuna storage; UNDERSTUDY_STORAGE of the environment if absent")
    said = parser.parse_args(given)
    url = said.storage or os.environ.get("UNDERSTUDY_STORAGE")
    if not url:
        parser.error("name the storage: --storage, or UNDERSTUDY_STORAGE")
    total = join(url, said.folder.name, said.folder, trials=said.trials, seconds=said.seconds)
    sys.stdout.write(f"{said.folder.name} has {total} trials.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
