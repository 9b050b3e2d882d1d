"""Tables where the terminal is narrow."""

import pytest

from flows.cli import screen


@pytest.mark.parametrize(("wide", "whole"), [(160, True), (80, False)])
def test_a_version_takes_a_line_where_words_fit_and_else_a_line_for_each_value(furnished, monkeypatch, wide, whole):
    monkeypatch.setattr(screen, "_WIDE", wide)
    said = furnished("models", "list", "churn").out

    assert all(len(line.rstrip()) <= wide for line in said.splitlines())
    assert "production" in said  # no word is broken
    assert sum("v1.0.0" in line and "production" in line for line in said.splitlines()) == whole
    assert ("│ stage " in said) != whole
