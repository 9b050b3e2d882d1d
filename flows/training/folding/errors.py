"""What cannot be folded."""

from registry.errors import Refusal


class CannotFold(Refusal):
    """
    A part of a pipeline that has no exact counterpart in a scorer; the original is served instead.

    Args:
        part: E.g. "FunctionTransformer".
        reason: What about it.
    """

    def __init__(self, part: str, reason: str) -> None:
        why = f"{reason[:1].upper()}{reason[1:]}."
        super().__init__(f"{part} was not folded.", why, "Leave the part out, or serve the original pipeline.")
        self._given = part, reason

    def __reduce__(self) -> tuple[type["CannotFold"], tuple[str, str]]:
        return type(self), self._given
