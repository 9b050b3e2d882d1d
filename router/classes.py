"""Answers of a multi-class version: probabilities into a class, names of classes into their numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from registry.records.version import ModelVersion
from router.decode import shown

_SLACK = 1e-3  # models in single precision add up to 1 only about
_SHOWN = 20


class Chosen(NamedTuple):
    """
    What a multi-class version says of one row.

    Attributes:
        number: Of the most probable class; the first one of several.
        probabilities: Of every class.
    """

    number: int
    probabilities: tuple[float, ...]


def chosen(raw: Any, rows: int, classes: Sequence[str]) -> tuple[list[float], list[Any]]:
    """
    The probability of the most probable class, and what was chosen, of every row.

    Args:
        raw: Shape (rows, classes).

    Raises:
        ValueError: "wrong_shape" or "not_finite".
    """
    table: NDArray[np.float64] = np.asarray(raw, dtype=np.float64)
    if table.shape != (rows, len(classes)):
        raise ValueError(f"wrong_shape: {table.shape} probabilities for {rows} rows of {len(classes)} classes")
    if not np.isfinite(table).all():
        raise ValueError("not_finite")
    numbers = table.argmax(axis=1).tolist() if rows else []
    said = [Chosen(number, tuple(line)) for number, line in zip(numbers, table.tolist(), strict=True)]
    return [one.probabilities[one.number] for one in said], said


def are_probabilities(said: Sequence[Chosen]) -> bool:
    """Whether each row's numbers lie between 0 and 1, and add up to 1."""
    return all(
        all(0 <= p <= 1 for p in one.probabilities) and abs(math.fsum(one.probabilities) - 1) <= _SLACK for one in said
    )


def logged(prediction: Any) -> tuple[Any, tuple[float, ...] | None]:
    """A prediction as the event log has it: a number; and the probabilities, if it was chosen by them."""
    return prediction if isinstance(prediction, Chosen) else (prediction, None)


def named(version: ModelVersion, prediction: Any, probabilities: Sequence[float] | None) -> dict[str, Any]:
    """What a caller is told: the name of the class, and the probabilities by name."""
    if prediction is None or probabilities is None:
        return {"prediction": prediction}
    names = version.classes
    return {"prediction": names[int(prediction)], "probabilities": dict(zip(names, probabilities, strict=True))}


class Names:
    """
    Classes as callers may write them when they send a label.

    A text is the name of a class, a number its place from 0. Where all names are written as
    numbers ("1" to "5" for stars), a number is a name, too: 3 is the class "3", not the fourth one.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._numbers = {name: number for number, name in enumerate(classes)}
        values = [_number(name) for name in classes]
        plain = None not in values and len({*values}) == len(values)
        self._values: Mapping[Any, int] = {v: i for i, v in enumerate(values)} if plain else {}

    def number(self, value: Any) -> float | str:
        """The number of a class; or what is wrong with the *value*, as a text."""
        found = None
        if isinstance(value, str):
            found = self._numbers.get(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            whole = 0 <= value < len(self._classes) and value == int(value)
            found = self._values.get(float(value)) if self._values else int(value) if whole else None
        return self._unknown(value) if found is None else float(found)

    def _unknown(self, value: Any) -> str:
        few = ", ".join(map(shown, self._classes[:_SHOWN]))
        more = f" and {len(self._classes) - _SHOWN} more" if len(self._classes) > _SHOWN else ""
        return f"value is {shown(value)}, expected one of the classes {few}{more}"


def _number(name: str) -> float | None:
    try:
        value = float(name)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
