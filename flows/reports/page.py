"""The frame of every HTML report: self-contained, offline, light and dark."""

import hashlib
import os
import re
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from flows.reports.style import STYLE
from flows.reports.text import html as safe
from registry.home import Settings

_LONGEST_NAME = 120


def page(title: str, body: str, *, strict: bool = False) -> str:
    """
    A whole document.

    Args:
        title: Is escaped.
        body: Trusted HTML.
        strict: Tell the browser to load nothing, run nothing, and accept this style only; for
            bodies without styles of their own.
    """
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_policy()}"/>' if strict else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"/>{policy}'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{safe(title)}</title><style>{STYLE}</style></head><body><main>\n{body}\n</main></body></html>\n"
    )


def table(
    head: list[str],
    rows: list[list[str]],
    *,
    numbers: tuple[int, ...] = (),
    headed: bool = False,
    stacked: bool = False,
) -> str:
    """
    A table of cells that are trusted HTML; it scrolls by itself where it does not fit.

    Args:
        head: Column heads, which are escaped.
        rows: Cells.
        numbers: Columns that are right-aligned.
        headed: The first cell of a row is its head.
        stacked: On a phone, cells stand below each other, each after the head of its column.
    """
    kinds = [' class="number"' if i in numbers else "" for i in range(len(head))]
    top = "".join(f'<th scope="col"{kind}>{safe(cell)}</th>' for kind, cell in zip(kinds, head, strict=True))
    if stacked:
        kinds = [f'{kind} data-head="{safe(cell)}"' for kind, cell in zip(kinds, head, strict=True)]
    lines = "".join(f"<tr>{_cells(row, kinds, headed=headed)}</tr>" for row in rows)
    where = "scroll stack" if stacked else "scroll"
    return f'<div class="{where}"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def write_report(settings: Settings, model: str, name: str, html: str) -> Path:
    """Keep a report under the model's folder; a reader sees a whole file or none."""
    file = report_file(settings, model, name)
    keep({file: html.encode()})
    return file


def report_file(settings: Settings, model: str, name: str) -> Path:
    """Where a report belongs: always inside the reports folder, whatever the names are."""
    return settings.reports_dir / file_name(model) / f"{file_name(name)}.html"


def file_name(name: str) -> str:
    """
    A name that is safe as part of a path; one that had to be changed is made unique.

    Example:
        >>> file_name("d-0001.2"), file_name("../../etc/passwd")
        ('d-0001.2', 'etc_passwd-3754d6cb')
    """
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-")[:_LONGEST_NAME]
    if kept and kept == name:
        return kept
    return f"{kept or 'unnamed'}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"


def keep(files: Mapping[Path, bytes]) -> None:
    """
    Write files so that a reader sees them whole; if one cannot be written, none of them is.

    Raises:
        OSError: If the disk is full or read-only; nothing was changed.
    """
    drafts = {file: file.with_name(f".{file.name}.{os.getpid()}.tmp") for file in files}
    try:
        for file, content in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            _write_through(drafts[file], content)
        for file, draft in drafts.items():
            draft.replace(file)
    finally:
        for draft in drafts.values():
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _write_through(draft: Path, content: bytes) -> None:
    with draft.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _cells(row: list[str], kinds: list[str], *, headed: bool) -> str:
    cells = [f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)]
    if headed:
        cells[0] = f'<th scope="row"{kinds[0]}>{row[0]}</th>'
    return "".join(cells)


def _policy() -> str:
    digest = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
