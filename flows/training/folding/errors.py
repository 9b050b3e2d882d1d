"""What cannot be folded."""

from registry.errors import Refusal


class CannotFold(Refusal):
    """
    A part of a pipeline that has no exact counterpart in a scorer; the original is served instead.

    Args:
        what: The part, e.g. "FunctionTransformer".
        why: What about it.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} was not folded.", f"{why}.", "Leave the part out, or serve the original pipeline.")
        self.part = what

    def __reduce__(self) -> tuple[type["CannotFold"], tuple[str, str]]:
        return type(self), (self.part, self.why.removesuffix("."))
