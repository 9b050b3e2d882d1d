"""Refusals: what did not happen, why, and how to mend it."""

from collections.abc import Sequence

from registry.addresses import without_passwords


class Refusal(Exception):
    """
    Base of every error that Understudy raises on purpose.

    It stands in logs, on pages and in the state of a run: addresses lose their passwords here, once for all.
    """

    exit_code = 2

    def __init__(self, what: str, why: str, mend: str) -> None:
        said = tuple(map(without_passwords, (what, why, mend)))
        super().__init__(*said)  # all in args: survives pickling
        self.what, self.why, self.mend = said

    def __str__(self) -> str:
        return f"{self.what} Why: {self.why} Mend: {self.mend}"


class RegistryError(Refusal):
    """Catch this to survive anything the registry refuses."""


class InvalidRecord(RegistryError):
    """A record that cannot be right; nothing was stored."""

    @classmethod
    def of(cls, name: str, mistakes: Sequence[str], mend: str) -> "InvalidRecord":
        """Collect all mistakes of one record into one refusal."""
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        return cls(f"{name} was refused: {count}.", "; ".join(mistakes) + ".", mend)


class NotFound(RegistryError):
    """A model, version, plan or rollout that the registry does not hold."""


class PlanConflict(RegistryError):
    """Somebody else published first; nothing was published."""


class StageConflict(RegistryError):
    """A transition that the life cycle does not allow; no stage was changed."""


class ArtifactRefused(RegistryError):
    """Bytes that are missing, altered or foreign; nothing was loaded."""

    exit_code = 3


class StoreUnavailable(RegistryError):
    """The database, or the disk below it, did not answer; nothing was changed."""

    exit_code = 3


class AlreadyExists(RegistryError):
    """A name that is taken; nothing was stored."""


class ApprovalRefused(RegistryError):
    """A sign-off that does not count; nobody's consent was recorded."""


class ApprovalForbidden(ApprovalRefused):
    """Somebody signed who may not, or for the second time in another role; the audit trail has it."""
