"""What a user's own test functions are given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

Answers = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionUnderTest:
    """
    A version, served by a router of its own for as long as the tests run.

    Attributes:
        url: Of that router; it speaks as the one that answers callers.
        model, version: What it serves.
        holdout: Newest rows: a column per feature, and `_label` where it is known.
        predict: Asks the router about rows of features, e.g. `predict([{"age": 41, "plan": "a"}])`; one answer per
            row with "score" and "prediction". Raises AssertionError with the router's words if it refuses them.

    Example:
        >>> def nobody_is_certain(version: VersionUnderTest) -> None:
        ...     answers = version.predict(version.holdout.drop("_label").to_dicts())
        ...     assert max(answer["score"] for answer in answers) < 0.999, "a score is too certain"
    """

    url: str
    model: str
    version: str
    holdout: "pl.DataFrame"
    predict: Callable[[Sequence[Mapping[str, Any]]], Answers]
