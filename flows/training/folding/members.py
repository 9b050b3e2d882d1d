"""Scorers that are made of others."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from registry.scoring.spec import ScorerSpec


class Folded(NamedTuple):
    """What `scorer_files` takes."""

    spec: ScorerSpec
    booster: bytes | None
    arrays: bytes | None
    members: Mapping[str, bytes] | None = None

    @property
    def contents(self) -> dict[str, bytes]:
        """All files but the spec, by name."""
        own = ((self.spec.booster, self.booster), (self.spec.arrays, self.arrays))
        return {name: raw for name, raw in own if name is not None and raw is not None} | dict(self.members or {})


Parts = tuple[ScorerSpec, bytes | None, bytes | None] | Folded


def joined(parts: Sequence[Folded], **fields: Any) -> Folded:
    """
    Make one scorer of several; each file is named after the number of its member.

    Args:
        parts: The members.
        fields: Of the whole spec.
    """
    members = tuple(_renamed(part.spec, f"{number}.") for number, part in enumerate(parts))
    files = {f"{number}.{name}": raw for number, part in enumerate(parts) for name, raw in part.contents.items()}
    return Folded(ScorerSpec(columns=(), members=members, **fields), None, None, files)


def _renamed(spec: ScorerSpec, prefix: str) -> ScorerSpec:
    return msgspec.structs.replace(
        spec,
        booster=None if spec.booster is None else prefix + spec.booster,
        arrays=None if spec.arrays is None else prefix + spec.arrays,
        members=tuple(_renamed(member, prefix) for member in spec.members),
    )
