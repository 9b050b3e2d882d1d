"""Why a remote version gave no scores; one of few words, so that counters stay few."""

from typing import Final, Literal, get_args

Reason = Literal[
    "deadline",
    "unreachable",
    "upstream_3xx",
    "upstream_4xx",
    "upstream_5xx",
    "too_large",
    "not_json",
    "wrong_shape",
    "not_finite",
    "raised",
]
REASONS: Final = frozenset(get_args(Reason))


class UpstreamFailed(ValueError):
    """
    No scores.

    Attributes:
        reason: One word, for counting.
        said: The details, for people.
    """

    def __init__(self, reason: Reason, said: str = "") -> None:
        super().__init__(reason, said)
        self.reason, self.said = reason, said

    def __str__(self) -> str:
        return f"{self.reason}: {self.said}" if self.said else self.reason
