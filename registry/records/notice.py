"""A notification that waits to be sent; it is written together with what it tells."""

from datetime import datetime
from typing import Literal

from registry.errors import InvalidRecord
from registry.records.base import Record, name_mistakes

Level = Literal["info", "success", "warning", "failure"]
NoticeStatus = Literal["waiting", "sent", "logged", "given_up"]


class Notice(Record, frozen=True, kw_only=True):
    """
    One notification, sent at most once per address.

    Whom it is sent to is not in it: addresses hold secrets, and are read from the configuration
    when it is sent.

    Attributes:
        key: Names what happened; a second notice with the same key is not kept.
        kind: What happened, e.g. "rollout.promoted"; people choose by it what they want to hear.
        title: Fits the subject of an e-mail.
        body: A few sentences of plain text, without any feature value, key or text of an exception.
        level: How loud.
        created_at: On the clock of the machine, not the model's.
        status: "sent" to everybody; "logged" where nobody is named; "given_up" after too many tries.
        attempts: How often it was tried.
        next_at: Not before.
        missed: Kinds of address (e.g. "mailtos") that could not be reached so far.
    """

    key: str
    model: str
    kind: str
    title: str
    body: str
    level: Level = "info"
    created_at: datetime
    status: NoticeStatus = "waiting"
    attempts: int = 0
    next_at: datetime
    missed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what nobody could be told."""
        mistakes = [f"{name} is empty" for name in ("key", "kind", "title") if not getattr(self, name)]
        mistakes += name_mistakes("Model", self.model) if self.model else []
        if mistakes:
            raise InvalidRecord.of("The notice", mistakes, "Say what happened.")
