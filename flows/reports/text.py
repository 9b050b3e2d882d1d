"""Numbers and names as people read them; nothing raw, nothing that escapes from its place."""

import math
import re
import unicodedata
from html import escape

# What changes the direction of everything after it, or cannot be written at all.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LEAST_PLAIN, _MOST_PLAIN = 1e-4, 1e7
DASH, MINUS, _TIMES_TEN = (
    "\N{EN DASH}",
    "\N{MINUS SIGN}",
    "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}10",
)


def clean(text: object) -> str:
    """Show control and direction-changing characters as a replacement mark."""
    return _UNSAFE.sub("\ufffd", str(text))


def html(text: object) -> str:
    """As safe HTML text, for elements and for quoted attributes."""
    return escape(clean(text))


def in_markdown(text: object) -> str:
    r"""
    As safe markdown text on one line; neither HTML nor links.

    Example:
        >>> in_markdown("<b>[a](b)")
        '&lt;b>[a]\\(b)'
    """
    safe = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace("](", "]\\(")
    return " ".join(safe.split())


def in_cell(text: object) -> str:
    """The same, for a cell of a markdown table."""
    return in_markdown(text).replace("|", "\\|")


def short(text: object, most: int = 60) -> str:
    """Cut what is too long for a label.

    Example:
        >>> short("a" * 9, most=4)
        'aaa…'
    """
    said = clean(text)
    return said if len(said) <= most else said[: most - 1] + "…"


def named(text: object, most: int = 80) -> str:
    """As HTML, a name that may be written from right to left, and of any length."""
    return f"<bdi>{escape(short(text, most))}</bdi>"


def plain_number(value: float | None, digits: int = 3) -> str:
    """
    A number for people: no exponent that a keyboard would write, no nan, no inf.

    Example:
        >>> plain_number(0.01234), plain_number(12345.6), plain_number(float("nan")), plain_number(float("-inf"))
        ('0.0123', '12,346', 'not defined', 'unbounded')
    """
    if value is None:
        return DASH
    if math.isnan(value):
        return "not defined"
    if math.isinf(value):
        return "unbounded"
    size = abs(value)
    if size and not _LEAST_PLAIN <= size < _MOST_PLAIN:
        return _powers(value, digits)
    return _decimals(value, size, digits)


def _decimals(value: float, size: float, digits: int) -> str:
    places = max(0, digits - 1 - math.floor(math.log10(size))) if size else 0
    said = f"{value:,.{places}f}"
    return said.rstrip("0").rstrip(".") if "." in said else said


def _powers(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}{_TIMES_TEN}{str(int(exponent)).translate(_RAISED)}"


def signed(value: float | None, digits: int = 3) -> str:
    """
    A difference, with its sign.

    Example:
        >>> signed(0.5), signed(0.0), signed(-0.25) == f"{MINUS}0.25"
        ('+0.5', '0', True)
    """
    if value is None or not math.isfinite(value) or value == 0:
        return plain_number(value, digits)
    return f"{'+' if value > 0 else MINUS}{plain_number(abs(value), digits)}"


def percent(share: float | None, digits: int = 3) -> str:
    """
    A share as a percentage.

    Example:
        >>> percent(0.95), percent(0.0212)
        ('95%', '2.12%')
    """
    if share is None or not math.isfinite(share):
        return plain_number(share)
    return f"{plain_number(100 * share, digits)}%"


def chance(share: float | None) -> str:
    """
    A probability as a percentage; a small doubt is not rounded away.

    Example:
        >>> chance(0.986), chance(0.99999), chance(1.0), chance(0.0001)
        ('98.6%', 'over 99.9%', '100%', 'below 0.1%')
    """
    if share is not None and 0.9995 <= share < 1:
        return "over 99.9%"
    return "below 0.1%" if share is not None and 0 < share < 0.0005 else percent(share)


def p_value(log_p: float | None, value: float | None) -> str:
    """
    A p-value that is never 0, from its logarithm where that is known.

    Example:
        >>> p_value(-2000.0, 0.0).endswith("10⁻⁸⁶⁹"), p_value(None, 0.0312), p_value(None, 0.0)
        (True, '0.0312', 'below 10⁻³⁰⁰')
    """
    known = log_p if log_p is not None and not math.isnan(log_p) else _log(value)
    if known is None:
        return DASH
    if math.isinf(known):
        return "below 10⁻³⁰⁰"
    if known >= math.log(_LEAST_PLAIN):
        return plain_number(math.exp(min(known, 0.0)))
    exponent, rest = divmod(known / math.log(10), 1)
    mantissa = f"{10**rest:.3g}"
    if mantissa == "10":
        mantissa, exponent = "1", exponent + 1
    return f"{mantissa}{_TIMES_TEN}{str(int(exponent)).translate(_RAISED)}"


def _log(value: float | None) -> float | None:
    if value is None or math.isnan(value):
        return None
    return math.log(value) if value > 0 else -math.inf


def counted(number: int, one: str, many: str = "") -> str:
    """
    A number of things.

    Example:
        >>> counted(1, "request"), counted(1200, "request"), counted(2, "look", "looks")
        ('1 request', '1,200 requests', '2 looks')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """
    A span of time in its largest fitting unit.

    Example:
        >>> duration(90.0), duration(7200.0), duration(260_000.0)
        ('2 minutes', '2 hours', '3 days')
    """
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length or unit == "minute":
            return counted(max(1, round(seconds / length)), unit)
    raise AssertionError


def words(names: list[str]) -> str:
    """
    Join as a sentence does.

    Example:
        >>> words(["a"]), words(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def sentence(text: str) -> str:
    """
    Begin with a capital and end with a full stop.

    Example:
        >>> sentence("too few rows"), sentence("Why?"), sentence("v1.0.0 is better")
        ('Too few rows.', 'Why?', 'v1.0.0 is better.')
    """
    said = text.strip()
    if not said:
        return ""
    first = said.split(" ", 1)[0]
    head = said[:1].upper() if first.isalpha() else said[:1]
    closed = unicodedata.category(said[-1]).startswith("P") and said[-1] in ".!?…"
    return f"{head}{said[1:]}{'' if closed else '.'}"
