"""Times as people say them."""

import math

_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))


def span(seconds: float | None) -> str:
    """
    Say how long something takes, in the largest unit that fits.

    Example:
        >>> span(172_800), span(5_400), span(90), span(0.4), span(None)
        ('2 d', '1.5 h', '1.5 min', '0.4 s', '-')
    """
    if seconds is None or not math.isfinite(seconds):
        return "-"
    size = abs(seconds)
    unit, name = next(((unit, name) for unit, name in _UNITS if size >= unit), _UNITS[-1])
    return f"{round(seconds / unit, 1):g} {name}"


def stay(least: float, most: float) -> str:
    """
    Say how long a step stays.

    Example:
        >>> stay(86_400, 172_800), stay(3_600, 3_600)
        ('1 d to 2 d', '1 h')
    """
    return span(least) if least == most else f"{span(least)} to {span(most)}"
