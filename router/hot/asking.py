"""Bodies of predict requests, checked while they are parsed; whatever is odd is left to the long path."""

import struct
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple

from registry.records.version import Feature
from registry.scoring.dates import moment_of
from router.decode import FIRST, LARGEST, LAST, MAX_ID, MAX_ROWS

_NAN: Final = float("nan")
_BRACE: Final = ord("{")
_encode = msgspec.json.encode


class AskedRow(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One row as it was sent; its features still as JSON."""

    features: msgspec.Raw
    key: Any = None
    id: str | None = None
    time: float | None = None


class Asked(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One row, or a batch in `rows`."""

    features: msgspec.Raw | UnsetType = UNSET
    key: Any = None
    id: str | None = None
    time: float | None = None
    rows: list[AskedRow] | UnsetType = UNSET


class Row(msgspec.Struct, gc=False):
    """
    One checked row.

    Attributes:
        raw: Its features as a JSON object on one line, each of them once.
        values: In the order of the model's features; numbers, levels, None. Dates are epoch seconds, also in *raw*.
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
_KINDS: Final = {"numeric": _Number | None, "categorical": str | None, "date": str | float | None}
_MISTAKES: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)


class Parser:
    """
    Parses the bodies of one feature schema.

    Args:
        features: Of the champion's version, in order.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        kinds = [_KINDS[feature.kind] for feature in features]
        self._dates = [place for place, feature in enumerate(features) if feature.kind == "date"]
        names = [f"f{index}" for index in range(len(features))]
        # Fields are renamed: a feature may be called anything, a Python attribute may not.
        rename = {name: feature.name for name, feature in zip(names, features, strict=True)}
        fields = list(zip(names, kinds, strict=True))
        self._named = msgspec.defstruct("Named", fields, rename=rename, forbid_unknown_fields=True, gc=False)
        placed = msgspec.defstruct("Placed", fields, array_like=True, forbid_unknown_fields=True, gc=False)
        self._decode_named = msgspec.json.Decoder(self._named).decode
        self._decode_placed = msgspec.json.Decoder(placed).decode
        self._colons = len(features) + sum(feature.name.count(":") for feature in features)

    @staticmethod
    def takes(features: Sequence[Feature]) -> bool:
        """Whether there can be a parser: not for names that JSON writes with escapes."""
        return all(_encode(feature.name) == f'"{feature.name}"'.encode() for feature in features)

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
            if asked.rows is UNSET:
                if asked.features is UNSET:
                    raise Odd
                return [self._row(asked)], False
            # Fields beside `rows` are no mistake on the long path either.
            if not 0 < len(asked.rows) <= most:
                raise Odd
            return [self._row(row) for row in asked.rows], True
        except _MISTAKES as error:
            raise Odd from error

    def asked(self, body: bytes) -> list[AskedRow]:
        """
        Take a batch apart, and leave its features as they are.

        Raises:
            Odd: If it is none, or has no rows.
        """
        try:
            rows = _asked.decode(body).rows
        except _MISTAKES as error:
            raise Odd from error
        if rows is UNSET or not 0 < len(rows) <= MAX_ROWS:
            raise Odd
        return rows

    def checked(self, asked: Sequence[AskedRow]) -> list[Row]:
        """
        Check what `asked` has given.

        Raises:
            Odd: If anything is wrong with a row.
        """
        try:
            return [self._row(one) for one in asked]
        except _MISTAKES as error:
            raise Odd from error

    def _row(self, asked: Any) -> Row:
        raw, id_, time = bytes(asked.features), asked.id, asked.time
        if raw[0] == _BRACE:
            values = self._dated(astuple(self._decode_named(raw)))
            # Readers of JSON disagree on which of two values of one name counts; more colons may be more names.
            if self._dates or raw.count(b":") != self._colons or b"\n" in raw or b"\r" in raw:
                raw = _encode(self._named(*values))
        else:
            values = self._dated(astuple(self._decode_placed(raw)))
            raw = _encode(self._named(*values))
        if id_ is not None and not 0 < len(id_) <= MAX_ID:
            raise Odd
        if time is not None and not FIRST <= time < LAST:
            raise Odd
        return Row(asked.key, id_, time, raw, values)

    def _dated(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Read the dates among *values*."""
        if not self._dates:
            return values
        read = list(values)
        try:
            for place in self._dates:
                read[place] = None if read[place] is None else moment_of(read[place])
        except ValueError as error:
            raise Odd from error
        return tuple(read)


class Buffer:
    """
    Rows of one arm as numbers, written in place.

    Args:
        levels: Of each feature: None for a number, else the code of each level.
    """

    def __init__(self, levels: Sequence[Any], capacity: int) -> None:
        import numpy as np

        self.raw = np.empty((capacity, len(levels)), dtype=np.float64)
        self._bytes, self._width = self.raw.data.cast("B"), len(levels)
        self._packers: dict[int, struct.Struct] = {}
        self._coded = [(place, table, len(table)) for place, table in enumerate(levels) if table is not None]

    def fill(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write rows from the first on; a missing value is NaN, an unseen level the code behind the last."""
        flat: list[Any] = []
        for values in rows:
            flat += values
        for place, table, unknown in self._coded:
            column = flat[place :: self._width]
            flat[place :: self._width] = [None if level is None else table.get(level, unknown) for level in column]
        packer = self._packers.get(len(rows)) or self._packers.setdefault(
            len(rows), struct.Struct(f"={len(rows) * self._width}d")
        )
        try:
            packer.pack_into(self._bytes, 0, *flat)
        except struct.error:
            packer.pack_into(self._bytes, 0, *[_NAN if value is None else value for value in flat])
