"""One HTML file for the person who must say whether the model is retrained."""

from flows.reports.drift.bars import feature_table, psi_bars
from flows.reports.drift.content import DriftContent
from flows.reports.drift.distributions import distributions
from flows.reports.drift.errors import error_trend
from flows.reports.drift.heat import heat_map
from flows.reports.page import page, table
from flows.reports.part import Part
from flows.reports.text import chance, html, named, plain_number, sentence, short

_WORDS = (
    ("PSI", "Population stability index: how differently values fall into the tenths of the reference. 0: not at all."),
    ("D", "Kolmogorov-Smirnov distance: the largest gap between the two distribution functions, 0 to 1."),
    ("V", "Cramer's V: the same question for categories, 0 to 1."),
    ("Adjusted p", "How easily chance alone shows as much, after allowing for the number of features looked at."),
    ("Data drift", "Inputs look different. It may or may not hurt the predictions."),
    ("Concept drift", "The same inputs now mean something else, so errors rise."),
)


def drift_report(content: DriftContent) -> str:
    """
    Render a look as one HTML file that works offline.

    Returns:
        The same bytes for the same content.
    """
    parts = [
        psi_bars(content.features),
        distributions(content.distributions),
        error_trend(content),
        heat_map(content.history),
        feature_table(content.features),
        _metrics(content),
    ]
    body = [
        _head(content),
        _verdict(content),
        _glance(content),
        _why(content),
        *(f"<section><h2>{html(part.title)}</h2>{part.body}</section>" for part in parts if part.body),
        _left_out(parts),
        _words(),
    ]
    title = f"{short(content.model)}: {short(content.headline, 80)}"
    return page(title, "\n".join(part for part in body if part), strict=True)


def _head(content: DriftContent) -> str:
    when = f"{content.at:%-d %B %Y, %H:%M} on the model's clock. " if content.at else ""
    said = f"{when}The newest {content.rows:,} rows beside {content.reference_rows:,} of the reference."
    asked = html(content.question) or f"{named(content.model)}: is {named(content.champion)} still fit?"
    return f'<header><h1>{asked}</h1><p class="soft">{html(said)}</p></header>'


def _verdict(content: DriftContent) -> str:
    summary = "".join(f"<p>{html(sentence(said))}</p>" for said in content.summary)
    return (
        f'<section class="verdict {content.colour}" aria-label="Verdict">'
        f'<p class="outcome {content.colour}">{html(content.severity)}: {html(content.recommendation)}</p>'
        f"<p><strong>{html(sentence(content.headline))}</strong></p>{summary}</section>"
    )


def _glance(content: DriftContent) -> str:
    drifted = sum(feature.drifted for feature in content.features)
    tiles = [
        ("Kind of drift", content.drift_type),
        ("Confidence", chance(content.confidence)) if content.confidence is not None else None,
        ("Features that drifted", f"{drifted} of {len(content.features)}") if content.features else None,
        ("Of these, high", str(sum(f.high for f in content.features))) if content.features else None,
    ]
    cells = "".join(f"<div><dt>{html(name)}</dt><dd>{html(value)}</dd></div>" for name, value in filter(None, tiles))
    return f'<dl class="glance">{cells}</dl>'


def _why(content: DriftContent) -> str:
    causes = "".join(f"<li>{html(sentence(cause))}</li>" for cause in content.causes)
    parts = [f"<h2>Why</h2><ol>{causes}</ol>"] if causes else []
    if content.undecided:
        rules = ", ".join(named(rule) for rule in content.undecided)
        parts.append(f"<p>Not enough data to decide: {rules}. That is not the same as no drift.</p>")
    return f"<section>{''.join(parts)}</section>" if parts else ""


def _metrics(content: DriftContent) -> Part:
    title = "Every number that rules may name"
    if not content.metrics:
        return Part(title, why="no rule was asked")
    rows = [
        [
            f"<code>{html(m.name)}</code>",
            html("not enough data" if m.value is None else plain_number(m.value, 4)),
            html(m.said),
        ]
        for m in content.metrics
    ]
    return Part(title, table(["metric", "value", "what it is"], rows, numbers=(1,)))


def _left_out(parts: list[Part]) -> str:
    items = "".join(f"<li><b>{html(part.title)}</b>: {html(part.why)}.</li>" for part in parts if not part.body)
    return f"<section><h2>Left out of this report</h2><ul>{items}</ul></section>" if items else ""


def _words() -> str:
    items = "".join(f"<dt>{html(word)}</dt><dd>{html(said)}</dd>" for word, said in _WORDS)
    return f"<details><summary>What the words mean</summary><dl>{items}</dl></details>"
