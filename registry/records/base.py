"""What all records share: frozen, closed, canonical JSON."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import msgspec

from registry.errors import InvalidRecord

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_NUMBER = r"(0|[1-9][0-9]{0,8})"  # fits every database's integer; \d would take Arabic digits, too
VERSION = re.compile(rf"v{_NUMBER}\.{_NUMBER}\.{_NUMBER}")


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that crosses a process border as JSON."""

    def to_json(self) -> bytes:
        """
        Encode with sorted keys.

        A record that was read back encodes to the same bytes again. One made by hand may
        hold 1 where a float belongs; `digest` sees through that.
        """
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
        """Sha256, in hexadecimal, of the canonical JSON: as it encodes once it was read back."""
        return hashlib.sha256(type(self).from_json(self.to_json()).to_json()).hexdigest()


Kept = TypeVar("Kept", bound=Record)


def unreadable(name: str, error: Exception) -> InvalidRecord:
    """Refuse a stored document of another time, or one that was altered."""
    return InvalidRecord(
        f"A stored {name} cannot be read.", f"{error}.", "Upgrade Understudy, or restore the registry from a backup."
    )


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


def salt_mistakes(value: str) -> list[str]:
    """Say why *value* cannot be a salt, or nothing."""
    if not value or ":" in value:
        return [f"salt {value!r} is empty or contains ':'"]
    try:
        value.encode()
    except UnicodeEncodeError:
        return [f"salt {value!r} is not encodable as UTF-8"]
    return []


def utc(moment: datetime) -> datetime:
    """Aware and in UTC; a naive moment is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
