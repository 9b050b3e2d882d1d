"""One line of the audit trail."""

from datetime import datetime
from typing import Any

from registry.records.base import Record


class AuditEntry(Record, frozen=True, kw_only=True):
    """
    Who did what to which model, why and when.

    Attributes:
        previous: Hash of the entry before; 64 zeros for the first.
        hash: Sha256 over the canonical JSON of all other fields.
    """

    sequence: int
    at: datetime
    actor: str
    action: str
    model: str
    subject: str
    reason: str
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    previous: str
    hash: str
