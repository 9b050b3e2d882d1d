"""Why there is no answer: what did not happen, why, and how to mend it."""

from collections.abc import Sequence

from registry.errors import Refusal
from router.client.types import Answer


class ClientError(Refusal):
    """Catch this to survive anything that asking the router may raise."""


class Unavailable(ClientError):
    """No router answered, or none that could; the same call may work later."""

    exit_code = 3


class Refused(ClientError):
    """
    The router refused the request; the same call would be refused again.

    Attributes:
        status: Of HTTP.
    """

    def __init__(self, what: str, why: str, mend: str, status: int = 422) -> None:
        super().__init__(what, why, mend)
        self.args = (what, why, mend, status)
        self.status = status


class NotAnswered(ClientError):
    """
    The champion failed on some rows.

    Attributes:
        answers: Of all rows, in order; those that failed have no score, but a prediction id.
    """

    exit_code = 3

    def __init__(self, what: str, why: str, mend: str, answers: Sequence[Answer] = ()) -> None:
        super().__init__(what, why, mend)
        self.args = (what, why, mend, answers)
        self.answers = tuple(answers)
