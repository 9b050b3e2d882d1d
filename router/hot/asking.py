"""Bodies of predict requests, checked while they are parsed; whatever is odd is left to the long path."""

import struct
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from registry.records.version import Feature
from router.decode import FIRST, LARGEST, LAST, MAX_ID

_NAN: Final = float("nan")


class AskedRow(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One row as it was sent; its features still as JSON."""

    features: msgspec.Raw
    key: Any = None
    id: str | None = None
    time: float | None = None


class Asked(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One row, or a batch in `rows`."""

    features: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    key: Any = None
    id: str | None = None
    time: float | None = None
    rows: list[AskedRow] | msgspec.UnsetType = msgspec.UNSET


class Row(msgspec.Struct, gc=False):
    """
    One checked row.

    Attributes:
        raw: Its features as a JSON object on one line.
        values: In the order of the model's features; numbers, levels, None.
    """

    key: Any
    id: str | None
    time: float | None
    raw: bytes
    values: tuple[Any, ...]


class Odd(Exception):
    """The request is not for the short path; the long one answers it, or says what is wrong."""


_asked = msgspec.json.Decoder(Asked)
_Number = Annotated[float, msgspec.Meta(gt=-LARGEST, lt=LARGEST)]


class Parser:
    """
    Parses the bodies of one feature schema.

    Args:
        features: Of the champion's version, in order.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        kinds = [_Number | None if feature.kind == "numeric" else str | None for feature in features]
        names = [f"f{index}" for index in range(len(features))]
        # Fields are renamed: a feature may be called anything, a Python attribute may not.
        rename = {name: feature.name for name, feature in zip(names, features, strict=True)}
        fields = list(zip(names, kinds, strict=True))
        self._named = msgspec.defstruct("Named", fields, rename=rename, forbid_unknown_fields=True, gc=False)
        placed = msgspec.defstruct("Placed", fields, array_like=True, forbid_unknown_fields=True, gc=False)
        self._by_name, self._by_place = msgspec.json.Decoder(self._named), msgspec.json.Decoder(placed)

    def rows(self, body: bytes, most: int) -> tuple[list[Row], bool]:
        """
        Check one body.

        Returns:
            Its rows, and whether they came as a batch.

        Raises:
            Odd: If anything is wrong with it, or there are more than *most* rows.
        """
        try:
            asked = _asked.decode(body)
            if asked.rows is msgspec.UNSET:
                if asked.features is msgspec.UNSET or most < 1:
                    raise Odd
                return [self._row(asked)], False
            # Fields beside `rows` are no mistake on the long path either.
            if not 0 < len(asked.rows) <= most:
                raise Odd
            return [self._row(row) for row in asked.rows], True
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise Odd from error

    def _row(self, asked: Any) -> Row:
        raw = bytes(asked.features)
        if raw[:1] == b"{":
            values = msgspec.structs.astuple(self._by_name.decode(raw))
            if b"\n" in raw or b"\r" in raw:
                raw = msgspec.json.format(raw, indent=-1)
        else:
            values = msgspec.structs.astuple(self._by_place.decode(raw))
            raw = msgspec.json.encode(self._named(*values))
        if asked.id is not None and not 0 < len(asked.id) <= MAX_ID:
            raise Odd
        if asked.time is not None and not FIRST <= asked.time < LAST:
            raise Odd
        return Row(asked.key, asked.id, asked.time, raw, values)


class Buffer:
    """
    Rows of one arm as numbers, written in place.

    Args:
        levels: Of each feature: None for a number, else the code of each level.
    """

    def __init__(self, levels: Sequence[Any], capacity: int) -> None:
        import numpy as np

        self.raw = np.empty((capacity, len(levels)), dtype=np.float64)
        self._bytes = self.raw.data.cast("B") if levels else memoryview(b"")
        self._packer = struct.Struct(f"={len(levels)}d")
        self._coded = [(place, table, len(table)) for place, table in enumerate(levels) if table is not None]

    def fill(self, index: int, values: tuple[Any, ...]) -> None:
        """Write row *index*; a missing value is NaN, an unseen level the code behind the last."""
        if self._coded:
            coded = list(values)
            for place, table, unknown in self._coded:
                if coded[place] is not None:
                    coded[place] = table.get(coded[place], unknown)
            values = tuple(coded)
        try:
            self._packer.pack_into(self._bytes, index * self._packer.size, *values)
        except struct.error:
            self._packer.pack_into(
                self._bytes, index * self._packer.size, *[_NAN if value is None else value for value in values]
            )
