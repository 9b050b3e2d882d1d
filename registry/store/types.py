"""Column types that mean the same in SQLite and Postgres."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

from registry.records.base import utc


class Moment(TypeDecorator[datetime]):
    """An instant; SQLite forgets time zones, so it is stored and returned in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        if value is None:
            return None
        return utc(value).replace(tzinfo=None) if dialect.name == "sqlite" else utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return aware, in UTC."""
        return None if value is None else utc(value)


class Json(TypeDecorator[Any]):
    """Canonical JSON as text: equal values have equal bytes, NaN becomes null."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        """Encode with sorted keys."""
        return msgspec.json.encode(value, order="sorted").decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Decode to plain builtins."""
        return None if value is None else msgspec.json.decode(value)


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC, as records write it."""
    return utc(moment).astimezone(UTC).isoformat().replace("+00:00", "Z")
