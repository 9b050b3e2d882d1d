"""The report as a file: self-contained, well-formed, small, the same every time, and safe."""

import base64
import hashlib
import math
import re
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports_making import SAMPLES, binary_rows, holdout, regression, shadow, split_invalid, split_rejected

from flows.reports.decision import decision_markdown, decision_report
from flows.reports.evidence import Arm, Evidence, TracePoint
from flows.reports.style import STYLE
from registry.records.policy import Guardrail
from registry.records.verdict import Finding

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "quotes": "a\"b'c`d&e>",
    "right to left": "\u202egnp.exe \u05e9\u05dc\u05d5\u05dd",
    "long": "very_long_name_" * 400,
    "control": "a\x00b\x1bc\x85d",
    "braces": "{0}{x!r}{{}}%s%(a)s",
    "markup": "](javascript:alert(1)) | <img src=x onerror=alert(1)>",
}


def parsed(html):
    assert html.startswith("<!doctype html>\n")
    return ElementTree.fromstring(html.removeprefix("<!doctype html>\n"))


def text_of(html):
    """Every text on the page, style and attributes left out."""
    body = parsed(html).find("body")
    return " ".join("".join(body.itertext()).split())


@pytest.fixture(params=SAMPLES, scope="module")
def sample(request):
    return SAMPLES[request.param]()


def test_the_page_is_well_formed(sample):
    assert parsed(decision_report(*sample)).find("body/main/header/h1") is not None


def test_nothing_is_loaded_from_anywhere(sample):
    html = decision_report(*sample)
    page = parsed(html)

    assert {e.tag for e in page.iter()}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "embed", "use", "image"}
    )
    links = [
        value for e in page.iter() for name, value in e.attrib.items() if name in ("href", "src", "action", "data")
    ]
    assert all(re.fullmatch(r"\./[A-Za-z0-9._-]+\.json", link) for link in links)
    assert not re.search(r"https?:|@import|url\(", html)


def test_a_strict_content_policy_holds_for_its_style_and_nothing_else(sample):
    page = parsed(decision_report(*sample))
    policy = next(e.get("content") for e in page.iter("meta") if e.get("http-equiv"))
    style = base64.b64encode(hashlib.sha256(page.find("head/style").text.encode()).digest()).decode()

    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{style}'")
    assert not any("style" in e.attrib or any(name.startswith("on") for name in e.attrib) for e in page.iter())


def test_the_same_decision_gives_the_same_bytes():
    for make in SAMPLES.values():
        assert decision_report(*make()) == decision_report(*make())


def test_every_finding_is_there_with_what_it_says(sample):
    decision, evidence = sample
    text = text_of(decision_report(decision, evidence))

    for finding in decision.findings:
        assert finding.name in text
        assert finding.said in text


def test_every_picture_says_what_it_shows_and_every_table_has_heads(sample):
    page = parsed(decision_report(*sample))
    nested = {id(inner) for outer in page.iter("svg") for inner in outer.iter("svg") if inner is not outer}

    for picture in (e for e in page.iter("svg") if id(e) not in nested):
        assert picture.get("aria-hidden") == "true" or (
            picture.get("role") == "img" and len(picture.get("aria-label")) > 10
        )
    for table in page.iter("table"):
        assert all(head.get("scope") == "col" for head in table.findall("thead/tr/th"))
        assert all(row.find("th") is not None for row in table.findall("tbody/tr") if row.get("class") != "ruler")
    assert page.get("lang") == "en"


def test_headings_do_not_skip_a_level(sample):
    levels = [int(e.tag[1]) for e in parsed(decision_report(*sample)).iter() if re.fullmatch("h[1-6]", e.tag)]

    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name):
    decision, evidence = holdout(600)
    evil = HOSTILE[name]
    renamed = tuple(
        msgspec.structs.replace(f, name=evil, metric=evil, said=evil, method=evil, repair=evil)
        for f in decision.findings
    )
    decision = msgspec.structs.replace(
        decision,
        id=evil,
        model=evil,
        champion=evil,
        challenger=evil,
        headline=evil,
        findings=renamed,
        metrics={evil: {evil: 1.0}, "champion": {}},
        changes=(evil,),
        flow={evil: {evil: 1}},
        identities={evil: evil},
        inputs=evil,
        policy=msgspec.structs.replace(decision.policy, metric=evil, goals=("other" + evil,), guardrails=()),
    )
    trace = tuple(TracePoint(float(k), k, 0.0, -1.0, 1.0, evil * (k > 5)) for k in range(1, 9))
    evidence = replace(evidence, trace=trace, trace_metric=evil)

    for outcome in ("promote", "needs_approval", "continue", "reject", "invalid"):
        html = decision_report(msgspec.structs.replace(decision, outcome=outcome), evidence)
        tags = {e.tag for e in parsed(html).iter()}
        assert tags.isdisjoint({"script", "img"})
        assert not re.search("[\x00\x1b\x85\u202e]", html)
        markdown = decision_markdown(msgspec.structs.replace(decision, outcome=outcome), "x.html")
        assert "<" not in markdown
        assert "](javascript" not in markdown


@pytest.mark.parametrize("make", [holdout, regression])
def test_a_hundred_thousand_rows_stay_small_and_quick(make):
    decision, evidence = make(100_000)
    trace = tuple(
        TracePoint(60.0 * k, k, 0.01, 0.01 - 1 / k, 0.01 + 1 / k, f"p{k // 20_000}") for k in range(1, 100_001)
    )

    began = time.perf_counter()
    html = decision_report(decision, replace(evidence, trace=trace))

    assert time.perf_counter() - began < 3
    assert len(html.encode()) < 600_000


def test_numbers_that_are_none_are_said_in_words():
    decision, evidence = shadow()
    bad = Finding(
        name="odd", metric="odd", role="goal", passed=None, said="odd", estimate=math.nan, low=-math.inf, high=math.inf
    )
    open_ended = Finding(
        name="open",
        metric="open",
        role="goal",
        passed=None,
        said="open",
        estimate=1.0,
        high=2.0,
        p_value=0.0,
        lift=math.inf,
    )
    decision = msgspec.structs.replace(
        decision,
        findings=(*decision.findings, bad, open_ended),
        metrics={"champion": {"loss": math.nan, "kpi": math.inf}},
        power=math.nan,
    )
    trace = (*evidence.trace, TracePoint(evidence.trace[-1].at + 60, 9999, 0.01, -math.inf, math.nan))
    text = text_of(decision_report(decision, replace(evidence, trace=trace)))

    assert not re.search(r"\b(nan|inf|None)\b", text)
    assert "unbounded below" in text
    assert "not defined" in text
    assert "below 10⁻³⁰⁰" in text


def test_a_tiny_p_value_is_written_by_its_logarithm_and_never_as_zero():
    decision, _ = split_rejected()
    tiny = msgspec.structs.replace(decision.findings[0], p_value=5e-324, log_p=-4000.0)
    text = text_of(decision_report(msgspec.structs.replace(decision, findings=(tiny,))))

    assert "10⁻¹⁷³⁸" in text
    assert not re.search(r"p\s*=\s*0(?![.\d])", text)


def test_what_is_missing_is_left_out_with_its_reason():
    decision, _ = split_invalid()
    bare = msgspec.structs.replace(decision, findings=(), metrics={}, flow={}, changes=())
    page = parsed(decision_report(bare))
    text = " ".join("".join(page.itertext()).split())

    assert "Left out of this report" in text
    assert "How the evidence grew: no earlier look with an estimate was handed to the report." in text
    assert "How good both models are: the labelled rows were not handed to the report." in text
    assert "Where the requests went: the numbers of requests per stage were not recorded." in text
    assert not list(page.iter("figure"))


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        ({}, "there are no usable rows"),
        ({"champion": Arm(np.array([0, 1]), np.array([0.5]))}, "2 labels do not fit 1 scores"),
        ({"champion": Arm(np.ones(50), np.linspace(0, 1, 50))}, "ROC curves: all labels of the champion are the same"),
        ({"challenger": Arm(np.arange(50) % 2, np.linspace(-3, 3, 50))}, "the scores are not probabilities"),
        ({"challenger": Arm(np.arange(50), np.linspace(0, 1, 50))}, "some labels are neither 0 nor 1"),
        ({"challenger": Arm(np.array([0.0, 1.0]), np.array([0.1, 0.2]))}, "Calibration: there are fewer than 20 rows"),
        ({"challenger": Arm(np.full(30, np.nan), np.ones(30))}, "it has no labelled row"),
    ],
)
def test_rows_that_cannot_be_drawn_are_said_so(arms, said):
    decision, _ = holdout(600)

    assert said in text_of(decision_report(decision, Evidence("binary", True, arms)))


def test_one_row_is_enough_for_a_page():
    decision, _ = holdout(600)
    for task in ("binary", "regression"):
        for n in (0, 1, 25):
            y, ours, _, times, _ = binary_rows(max(n, 1))
            arm = Arm(y[:n], ours[:n] * 0, times[:n] * 0)
            page = decision_report(decision, Evidence(task, False, {"champion": arm, "challenger": arm}))
            assert parsed(page) is not None
            assert "nan" not in text_of(page).lower().split()


@st.composite
def any_finding(draw):
    number = st.one_of(st.none(), st.floats(), st.floats(-2, 2))
    fields = ("estimate", "low", "high", "threshold", "champion", "challenger", "lift", "lift_low", "lift_high")
    return Finding(
        name=draw(st.text(max_size=20)),
        passed=draw(st.sampled_from([True, False, None])),
        said=draw(st.text(max_size=40)),
        role=draw(st.sampled_from(["primary", "goal", "guardrail", "integrity", "segment", "context"])),
        metric=draw(st.one_of(st.none(), st.sampled_from(["auc", "accuracy", "mae", "latency_ms", "revenue"]))),
        n=draw(st.integers(0, 10**9)),
        p_value=draw(st.one_of(st.none(), st.floats(0, 1))),
        log_p=draw(st.one_of(st.none(), st.floats(max_value=0))),
        repair=draw(st.text(max_size=10)),
        **{name: draw(number) for name in fields},
    )


@settings(max_examples=60, deadline=None)
@given(
    findings=st.lists(any_finding(), max_size=5),
    outcome=st.sampled_from(["promote", "needs_approval", "continue", "reject", "invalid"]),
    kind=st.sampled_from(["holdout", "shadow", "split"]),
    trace=st.lists(st.builds(TracePoint, *[st.floats(0, 1e12), st.integers(0, 10**9), *[st.floats()] * 3]), max_size=5),
)
def test_every_decision_has_a_page(findings, outcome, kind, trace):
    decision, _ = split_rejected()
    decision = msgspec.structs.replace(decision, findings=tuple(findings), outcome=outcome, kind=kind)

    html = decision_report(decision, Evidence("binary", True, {}, tuple(trace)))

    assert not re.search(r"\b(nan|inf)\b", re.sub("(?s)<style>.*</style>", "", html).replace("&#8211;", "")) or any(
        re.search("nan|inf", f.name + f.said + f.repair) for f in findings
    )
    parsed(html)
    decision_markdown(decision)


def luminance(colour):
    digits = colour if len(colour) == 6 else "".join(2 * c for c in colour)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("behind", ["paper", "wash"])
@pytest.mark.parametrize("letters", ["ink", "soft", "good", "bad", "wait", "mark"])
def test_letters_stand_out_as_wcag_asks(scheme, behind, letters):
    colours = dict(re.findall(r"--(\w+): #(\w+)", re.findall(r":root \{([^}]*)\}", STYLE)[scheme]))
    dark, light = sorted(luminance(colours[name]) for name in (behind, letters))

    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_guardrail_with_slack_is_told_in_its_own_unit():
    decision, evidence = split_rejected()
    guards = [guard for guard in decision.policy.guardrails if guard.metric != "latency_ms"]
    loose = Guardrail(metric="latency_ms", margin=0.5, slack=10.0)
    findings = tuple(
        msgspec.structs.replace(f, threshold=-(0.5 * f.champion + 10.0)) if f.metric == "latency_ms" else f
        for f in decision.findings
    )
    policy = msgspec.structs.replace(decision.policy, guardrails=(*guards, loose))
    text = text_of(decision_report(msgspec.structs.replace(decision, policy=policy, findings=findings), evidence))

    assert "latency: at most 50% and 10 ms worse than the champion" in text.replace("Latency", "latency")
    assert re.search(r"at most [\d.]+ ms worse is tolerated", text)
