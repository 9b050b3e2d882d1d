"""An incident as one HTML file that works offline, and as markdown."""

import re

from flows.reports.incidents.blocks import BY, blocks, harm, span, summary, title_of
from flows.reports.incidents.story import Story
from flows.reports.page import page, table
from flows.reports.text import DASH, html, in_markdown, named, sentence
from flows.reports.versions.writing import Block, as_markdown

_TICKS = re.compile("`([^`]+)`")


def incident_html(story: Story) -> str:
    """
    Render an incident.

    Returns:
        The same bytes for the same story.
    """
    body = [_head(story), _verdict(story), _glance(story), *map(_section, blocks(story)), _foot(story)]
    return page(f"{story.incident.id} {title_of(story.incident)}", "\n".join(body), strict=True)


def incident_markdown(story: Story, path: str | None = None) -> str:
    """
    The same for the Prefect UI.

    Args:
        path: The HTML file, whole.
    """
    said = (
        summary(story),
        sentence(story.incident.cause),
        harm(story),
        *([f"The whole report: `{in_markdown(path)}`"] if path else []),
    )
    return as_markdown(f"{story.incident.id}: {title_of(story.incident)}", [Block("", said), *blocks(story)])


def _head(story: Story) -> str:
    incident = story.incident
    about = f"Incident {html(incident.id)}, {incident.at:%-d %B %Y, %H:%M:%S} UTC on the model's clock."
    title = f"{named(incident.model)}: {named(incident.version)} was taken off"
    return f'<header><h1>{title}</h1><p class="soft">{about}</p></header>'


def _verdict(story: Story) -> str:
    return (
        '<section class="verdict bad" aria-label="What happened"><p class="outcome bad">Rolled back</p>'
        f"<p><strong>{html(summary(story))}</strong></p>"
        f"<p>{html(sentence(story.incident.cause))}</p></section>"
    )


def _glance(story: Story) -> str:
    answering = story.answering
    tiles = [
        ("Answered by it", DASH if story.answered is None else f"{story.answered:,} requests"),
        ("Of its requests failed", DASH if story.failed is None else f"{story.failed:,}"),
        ("For", span(story.seconds) if answering else "nobody"),
        ("Taken off by", BY[story.incident.kind]),
        ("Answers since", story.incident.restored),
    ]
    cells = "".join(f"<div><dt>{html(name)}</dt><dd>{html(value)}</dd></div>" for name, value in tiles)
    return f'<dl class="glance">{cells}</dl>'


def _section(block: Block) -> str:
    parts = [f"<h2>{html(block.title)}</h2>", *(f"<p>{_code(said)}</p>" for said in block.said)]
    if block.rows:
        rows = [[_code(cell) for cell in row] for row in block.rows]
        parts.append(table(list(block.head), rows, numbers=block.numbers, headed=True, stacked=True))
    return f"<section>{''.join(parts)}</section>"


def _foot(story: Story) -> str:
    return (
        f'<p class="soft">Made from registry and router: names, counts and digests only; {html(story.incident.id)} '
        f"is in the audit trail. Show it again: <code>understudy incidents show {html(story.incident.id)}</code></p>"
    )


def _code(text: str) -> str:
    """What stands between backticks, as code."""
    return _TICKS.sub(r"<code>\1</code>", html(text))
