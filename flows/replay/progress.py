"""What a replay remembers: written before it goes on, so that it resumes exactly."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from flows.replay.errors import ReplayStuck
from registry.records.base import Record

FILE = "progress.json"
ANSWERS = "answers.ndjson"


class Progress(Record, frozen=True, kw_only=True):
    """
    Where a replay stands.

    Attributes:
        fingerprint: Of table, configuration and options: a resumed replay must be the same.
        start: First row that is sent.
        rows: Rows of the table; those before `start` train the first champion.
        sent: Rows before it are answered, and their answers kept.
        labelled: Outcomes of rows before it are acknowledged.
        stop: Stops of the timetable that are done.
        answers_bytes: Length of the file of answers that counts; a torn tail is cut off.
        refused: Outcomes that the router did not accept, with the reason of the last.
        seconds: Wall time spent so far.
        finished: Everything is sent, joined and summed up.
    """

    name: str
    model: str
    fingerprint: str
    start: int
    rows: int
    batch: str
    sent: int
    labelled: int
    stop: int = 0
    answers_bytes: int = 0
    refused: int = 0
    refusal: str = ""
    seconds: float = 0.0
    finished: bool = False


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """One answer of the router, as kept; `score` is None where the model gives none."""

    row: int
    prediction: float
    score: float | None
    variant: str
    assigned: str
    version: str
    epoch: int
    reason: str

    @classmethod
    def of(cls, row: int, said: dict[str, Any], classes: Sequence[str] = ()) -> "Answer":
        """Take what counts from an answer of the router; of several *classes* the number of the one it names."""
        prediction = said["prediction"]
        return cls(
            row,
            float(classes.index(prediction)) if classes else prediction,
            said.get("score"),
            said["variant"],
            said["assigned"],
            said["model_version"],
            said["epoch"],
            said["reason"],
        )


class Journal:
    """
    Progress and answers of one replay, in its folder.

    An answer counts once the progress says so: a replay that is killed in between sends
    those rows again, under the same ids.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self) -> bool:
        """Whether a replay was begun here."""
        return (self.folder / FILE).exists()

    def read(self) -> Progress:
        """
        Read the progress.

        Raises:
            ReplayStuck: If the file is damaged.
        """
        try:
            return Progress.from_json((self.folder / FILE).read_bytes())
        except (OSError, msgspec.MsgspecError) as error:
            raise ReplayStuck(
                f"The progress in {self.folder} cannot be read.", f"{error}.", "Start afresh with --restart."
            ) from error

    def write(self, progress: Progress) -> Progress:
        """Replace the progress, durably, and return it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f"{FILE}.tmp"
        with temporary.open("wb") as file:
            file.write(progress.to_json())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / FILE)
        return progress

    def keep(self, progress: Progress, answers: list[Answer]) -> Progress:
        """Append the answers to the next rows, then count them."""
        lines = msgspec.json.Encoder().encode_lines(answers)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / ANSWERS
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(progress.answers_bytes)
            file.seek(progress.answers_bytes)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        length = progress.answers_bytes + len(lines)
        return self.write(msgspec.structs.replace(progress, sent=progress.sent + len(answers), answers_bytes=length))

    def answers(self, progress: Progress) -> list[Answer]:
        """Read every answer that counts, in the order of rows."""
        path = self.folder / ANSWERS
        if not path.exists():
            return []
        with path.open("rb") as file:
            return msgspec.json.Decoder(Answer).decode_lines(file.read(progress.answers_bytes))
