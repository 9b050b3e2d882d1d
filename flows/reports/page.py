"""The frame of every HTML report: self-contained, offline, light and dark."""

from html import escape
from pathlib import Path

from registry.home import Settings

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d8dee6; --paper: #fff; --wash: #f4f6f9;
  --good: #12805c; --bad: #b3261e; --wait: #9a6700; --mark: #2f5fd0 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa5b4; --line: #38414d; --paper: #14181d;
  --wash: #1c2229; --good: #4cc38a; --bad: #ff8a80; --wait: #e0b04c; --mark: #8ab0ff } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem }
h1 { font-size: 1.6rem; line-height: 1.3; margin: 0 0 .5rem } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem }
.verdict { border-left: .4rem solid var(--wait); background: var(--wash); padding: 1rem 1.2rem; border-radius: .3rem }
.verdict.good { border-color: var(--good) } .verdict.bad { border-color: var(--bad) }
.verdict strong { font-size: 1.15rem } .soft { color: var(--soft) }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 600 } .number { text-align: right; white-space: nowrap }
a { color: var(--mark) } figure { margin: 1.5rem 0; background: #fff; border-radius: .3rem }
figure svg text { fill: #1c2430 } details { color: var(--soft) } summary { cursor: pointer }
.good { color: var(--good) } .bad { color: var(--bad) } .wait { color: var(--wait) }
.verdict.good, .verdict.bad, .verdict.wait { color: inherit }
svg { max-width: 100%; height: auto } svg text { fill: var(--ink); font: 13px system-ui, sans-serif }
code { background: var(--wash); padding: .1em .3em; border-radius: .2em }
"""


def page(title: str, body: str) -> str:
    """A whole document; *body* is trusted HTML, *title* is escaped."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>\n{body}\n</main></body></html>\n"
    )


def table(head: list[str], rows: list[list[str]], *, numbers: tuple[int, ...] = ()) -> str:
    """A table of cells that are trusted HTML; columns in *numbers* are right-aligned."""
    kinds = [' class="number"' if i in numbers else "" for i in range(len(head))]
    top = "".join(f"<th{kind}>{escape(cell)}</th>" for kind, cell in zip(kinds, head, strict=True))
    lines = [
        f"<tr>{''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>" for row in rows
    ]
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def write_report(settings: Settings, model: str, name: str, html: str) -> Path:
    """Keep a report under the model's folder; a reader sees a whole file or none."""
    folder = settings.reports_dir / model
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.tmp"
    temporary.write_text(html, encoding="utf-8")
    return temporary.replace(folder / f"{name}.html")
