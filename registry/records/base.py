"""What all records share: frozen, closed, canonical JSON."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any, Self

import msgspec

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
VERSION = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that crosses a process border as JSON."""

    def to_json(self) -> bytes:
        """Encode canonically: keys sorted, so equal records have equal bytes."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_json(cls, raw: bytes | str) -> Self:
        """
        Decode and check.

        Raises:
            msgspec.ValidationError: If a field is missing, unknown or of the wrong type.
            InvalidRecord: If the fields contradict each other.
        """
        return msgspec.json.decode(raw, type=cls)

    def to_dict(self) -> dict[str, Any]:
        """Plain builtins, for templates and tables."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def digest(self) -> str:
        """Sha256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.to_json()).hexdigest()


def name_mistakes(what: str, value: str) -> list[str]:
    """Say why *value* cannot be a name, or nothing."""
    if NAME.fullmatch(value):
        return []
    return [f"{what} {value!r} is not 1 to 63 lower-case letters, digits, '_' or '-'"]


def version_mistakes(what: str, value: str) -> list[str]:
    """Say why *value* cannot be a version, or nothing."""
    if VERSION.fullmatch(value):
        return []
    return [f"{what} {value!r} does not look like v1.2.3"]


def utc(moment: datetime) -> datetime:
    """Aware and in UTC; a naive moment is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
