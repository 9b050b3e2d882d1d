"""A process that counts on the board and says what it has published: run by tests, killed by tests."""

import sys
from pathlib import Path

from router.board import Board
from router.report import Report
from router.tally import Tallies, Tally


def main(folder: str) -> None:
    """Publish as fast as it can; a line on standard output per report that is on the board."""
    board, tallies = Board.open(Path(folder), "worker"), Tallies()
    if board.inherited is not None:
        tallies.inherit(board.inherited.tallies)
    tally = tallies._of(("m", "canary", "challenger", "v1.1.0"))
    # Tallies that nobody counts make the report long, so that a kill often hits a write.
    ballast = [Tally(f"model-{number}", "p", "challenger", "v1.0.0") for number in range(60)]
    print(f"ready {tally.rows}", flush=True)
    while True:
        tally.answered(1, 1, 1.0)
        board.publish(Report(tallies=[*ballast, tally], unlogged=tally.rows))
        print(tally.rows, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
