"""The last look at a text before it leaves: whatever wrote it, nothing in it may be somebody's data or a secret."""

import re

LEFT_OUT = "[left out]"
_MOST = 600
_HARMFUL = re.compile(
    r"""
      (?P<page>/runs/flow-run/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b  # of Prefect: stays
    | \S*://[^\s/@]*@\S*                                              # an address with a password in it
    | [^\s@<>"'(]+@[^\s@>"')]+                                        # of a person
    | (?<![\w:/.~])~?/(?:[\w.@+%-]+/)+[\w.@+%-]*                      # a file
    | (?<!\w)[A-Z]:\\\S+
    | (?i:\b(?:bearer|password|passwd|token|secret|api[_-]?key)\b\s*[=:]?\s*)[^\s,;]{6,}
    | \b[0-9a-f]{32,}\b                                               # a digest, or a token in hexadecimal
    | \b(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{20,}          # a token; our names have no capitals
    | \b[A-Z]{2}\d{2}[ ]?(?:[A-Z0-9]{4}[ ]?){2,7}[A-Z0-9]{1,4}\b      # an account
    | (?<![\w.])\+?\d[\d ()/-]{11,}\d(?![\w.])                        # a card, a telephone
    """,
    re.VERBOSE,
)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}")


def clean(text: str, most: int = _MOST) -> str:
    """
    Leave out addresses, files, tokens and long numbers; shorten to *most* characters, on one line.

    Example:
        >>> clean("ann@example.org cannot open /home/ann/x.csv")
        '[left out] cannot open [left out]'
    """
    kept = _HARMFUL.sub(_replaced, " ".join(text.split()))
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def _replaced(match: re.Match[str]) -> str:
    return match.group() if match["page"] or _MOMENT.match(match.group()) else LEFT_OUT
