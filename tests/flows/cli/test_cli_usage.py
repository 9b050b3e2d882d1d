"""Words that make no command: all mistakes at once, each with its value, and what to write instead."""

import pytest

CASES = [
    (("promote",), ["MODEL is missing", "VERSION is missing", "--reason is missing"]),
    (
        ("promote", "churn", "v1", "--resaon", "x"),
        ["there is no option --resaon (did you mean --reason?)", "--reason is"],
    ),
    (("promote", "churn", "v1", "--reason=r", "--every=3"), ["there is no option --every"]),
    (("approve", "churn", "--role"), ["--role: its value is missing"]),
    (("watch", "churn", "--every", "0"), ["--every: should be greater than or equal to 0.2 (given: '0')"]),
    (("watch", "churn", "--every", "0", "--onc"), ["did you mean --once?", "--every: should be"]),
    (("traffic", "preview", "--share", "2"), ["MODEL is missing", "KEY is missing", "--share: should be less than or"]),
    (("events", "list", "churn", "more", "most"), ["'more', 'most' are too much"]),
    (("history", "churn", "--limit", "few"), ["--limit: should be a valid", "(given: 'few')"]),
    (("compare", "churn", "--rule", "often", "--challenger", "v1"), ["--rule: 'often' is not one of"]),
    (("status", "now"), ["'now' is too much"]),
    (("replay", "a.yaml", "--first", "2", "--limit", "x"), ["--first: should be less", "--limit: should be a valid"]),
    (("rollback", "churn", "--reason", " "), ["--reason: it is empty, and the audit trail must say something"]),
    (("-x",), ["there is no option -x"]),
]


@pytest.mark.parametrize(("words", "mistakes"), CASES, ids=lambda value: " ".join(value))
def test_every_wrong_word_is_told_at_once_with_what_to_write(understudy, words, mistakes):
    said = understudy(*words).refused()

    for mistake in mistakes:
        assert mistake in said
    assert "was not run." in said
    assert "Mend: Write `understudy" in said
    assert "--help` explains it." in said
    assert "Value error" not in said


def test_what_must_be_written_is_shown_whole(understudy):
    said = understudy("rollout", "start").refused()

    assert "`understudy rollout start MODEL --reason REASON [OPTIONS]`" in said


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("staus",), "Did you mean `understudy status`?"),
        (("frobnicate",), "See `understudy --help`."),
        (("traffic", "hist"), "Did you mean `understudy traffic history`?"),
        (("rollout", "stop"), "See `understudy rollout --help`."),
        (("models", "churn"), "Did you mean `understudy models list churn`?"),
        (("audit", "churn", "--json"), "Did you mean `understudy audit list churn`?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_unknown_command_is_answered_with_the_one_that_was_meant(understudy, words, meant):
    said = understudy(*words).refused()

    assert f"has no command {words[:2][-1]!r}." in said
    assert meant in said


@pytest.mark.parametrize("words", [(), ("traffic",), ("rollout",)], ids=" ".join)
def test_a_noun_alone_shows_its_help(understudy, words):
    answer = understudy(*words)

    assert answer.code == 2
    assert "Usage: understudy" in answer.out
    assert answer.err == ""


@pytest.mark.parametrize("noun", ["models", "audit", "decision", "events"])
def test_a_noun_that_lists_speaks_json_by_itself(understudy, noun):
    answer = understudy(noun, "--json")

    assert (answer.code, answer.json) == (0, [])


def test_the_version_is_told(understudy):
    assert understudy("--version").out.startswith("understudy 0.")
