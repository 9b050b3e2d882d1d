"""A part of a report: there, or left out with the reason."""

from typing import NamedTuple


class Part(NamedTuple):
    """
    One part.

    Attributes:
        title: Its heading.
        body: Trusted HTML; empty if it is left out.
        why: Why it is left out, as the end of a sentence; plain text.
    """

    title: str
    body: str = ""
    why: str = ""
