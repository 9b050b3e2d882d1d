"""Names of features beside pictures."""

from flows.reports.text import html, short

_FITS = 18  # characters beside a picture on a phone


def label(name: str) -> str:
    """Give what fits, as SVG; the whole name shows where a pointer rests."""
    return f"<title>{html(short(name))}</title>{html(short(name, _FITS))}"
