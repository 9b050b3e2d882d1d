"""A decision is kept whole: the page, the canonical JSON beside it, or neither."""

import errno
import hashlib
import logging
from dataclasses import replace
from html import escape
from pathlib import Path

import msgspec
import numpy as np
import pytest
from reports_making import holdout, shadow

from flows.reports.decision import decision_markdown, publish_decision
from flows.reports.evidence import Arm
from flows.reports.page import file_name
from registry.home import Settings
from registry.records.verdict import Decision


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


def files(settings):
    return sorted(path.name for path in settings.reports_dir.rglob("*") if path.is_file())


def test_the_canonical_json_lies_beside_the_page_and_has_the_digest_that_the_page_names(settings):
    decision, evidence = holdout(600)

    kept = publish_decision(settings, decision, evidence)
    page = (settings.reports_dir / kept.report).read_text()
    raw = (settings.reports_dir / kept.report).with_name("leads-0007-v1.4.0.json").read_bytes()

    assert Decision.from_json(raw).to_json() == raw
    assert hashlib.sha256(raw).hexdigest() == kept.digest()
    assert kept.digest() in page
    assert 'href="./leads-0007-v1.4.0.json"' in page
    assert files(settings) == ["leads-0007-v1.4.0.html", "leads-0007-v1.4.0.json"]


@pytest.mark.parametrize("when", ["write", "rename"])
def test_a_full_disk_costs_the_report_and_not_the_decision(settings, monkeypatch, caplog, when):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    decision, _ = holdout(600)
    monkeypatch.setattr(Path, "open" if when == "write" else "replace", full)
    with caplog.at_level(logging.WARNING):
        kept = publish_decision(settings, decision)

    assert kept == decision
    assert files(settings) == []
    assert "No space left on device" in caplog.text


def test_a_picture_that_cannot_be_drawn_costs_only_the_pictures(settings, monkeypatch, caplog):
    decision, evidence = holdout(600)
    broken = replace(evidence, arms={"champion": Arm(np.array(["x"]), np.array([1.0]))})

    kept = publish_decision(settings, decision, broken)

    assert "Left out of this report" in (settings.reports_dir / kept.report).read_text()
    assert "has no pictures" in caplog.text


def test_a_decision_whose_numbers_cannot_be_written_is_shown_all_the_same(settings):
    decision, _ = holdout(600)
    odd = msgspec.structs.replace(decision, metrics={"champion": {"loss": float("nan")}})

    kept = publish_decision(settings, odd)

    assert "This decision (SHA-256)" not in (settings.reports_dir / kept.report).read_text()


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "..", "", "a" * 5000, "\u202e", "x\x00y", ".hidden"])
def test_no_name_leads_out_of_the_reports_folder(settings, name):
    decision, _ = holdout(600)

    kept = publish_decision(settings, msgspec.structs.replace(decision, id=name, model=name))

    assert (settings.reports_dir / kept.report).resolve().is_relative_to(settings.reports_dir.resolve())
    assert (settings.reports_dir / kept.report).exists()
    assert len(files(settings)) == 2


def test_names_that_must_be_changed_stay_apart():
    assert file_name("a/b") != file_name("a:b")


def test_publishing_twice_leaves_the_newer_one(settings):
    decision, evidence = shadow()
    publish_decision(settings, decision)

    kept = publish_decision(settings, decision, evidence)

    assert "How the evidence grew</h2>" in (settings.reports_dir / kept.report).read_text()
    assert len(files(settings)) == 2


def test_the_markdown_gives_verdict_table_changes_and_the_way_to_the_report():
    decision, _ = shadow()

    markdown = decision_markdown(decision, "leads/r-0012.0-41.html")

    assert markdown.startswith("# v1.4.0: keep watching\n\n**Keep watching: it is open")
    assert markdown.count("\n| ") == 2 + len(decision.findings)
    assert "## What would change the verdict\n\n- accuracy: it must be surely better" in markdown
    assert "The whole report: `leads/r-0012.0-41.html`" in markdown
    assert decision.headline in markdown


def test_an_address_becomes_a_link():
    assert "[The whole report](https://x/a%20b.html)" in decision_markdown(holdout(600)[0], "https://x/a b.html")


def test_a_bar_in_a_finding_does_not_break_the_table():
    decision, _ = holdout(600)
    barred = msgspec.structs.replace(decision.findings[0], said="a | b\nc")

    line = next(
        line
        for line in decision_markdown(msgspec.structs.replace(decision, findings=(barred,))).splitlines()
        if line.startswith("| accuracy")
    )

    assert line.endswith("| a \\| b c |")


def test_the_headline_is_on_the_page_word_for_word(settings):
    decision, _ = shadow()

    kept = publish_decision(settings, decision)

    assert escape(decision.headline) in (settings.reports_dir / kept.report).read_text()
