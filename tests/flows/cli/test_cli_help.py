"""The help of every command."""

import re

import pytest
import typer
from typer.main import get_command

from flows.cli.app import app


def commands(group=None, before=()):
    group = group or get_command(app)
    for name, command in group.commands.items():
        yield (*before, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))


ALL = dict(commands())
LEAVES = {words: one for words, one in ALL.items() if not hasattr(one, "commands")}


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_help_says_what_it_does_and_shows_an_example(understudy, words):
    answer = understudy(*words, "--help")

    assert answer.code == 0
    assert "Traceback" not in answer.err
    assert f"understudy {words[0]}" in (ALL[words].epilog or "").replace("`", "")
    first = (ALL[words].help or "").strip().splitlines()[0]
    assert first[0].isupper()
    assert first.rstrip().endswith((".", ":"))


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_option_is_explained(words):
    unexplained = [one.name for one in LEAVES[words].params if getattr(one, "help", None) in (None, "")]

    assert set(unexplained) <= {"help", "decision_id"}


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_speaks_json(words):
    assert "--json" in {option for one in LEAVES[words].params for option in one.opts}


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_example_is_a_command_that_exists(words):
    for line in re.findall(r"understudy ([a-z ]+?)(?= [^a-z ]|  |$| [A-Z-])", ALL[words].epilog or ""):
        name = line.split()[0]
        assert (name,) in ALL


def test_the_commands_are_those_of_the_design():
    wanted = "init doctor up down status demo replay backtest check drift train compare plan assign rollout promote "
    wanted += "rollback approve models events history incidents decision audit traffic tracking notify watch log"

    assert {words[0] for words in ALL} == set(wanted.split())


def test_options_of_one_name_mean_the_same_everywhere():
    said = {}
    for words, command in LEAVES.items():
        for one in command.params:
            for option in one.opts:
                if option in ("--json", "--as-of", "--actor", "--dry-run", "--limit"):
                    said.setdefault(option, {}).setdefault(getattr(one, "help", ""), []).append(words)

    assert {option: len(texts) for option, texts in said.items() if len(texts) > 1} in (
        {"--actor": 2},  # who does it, and whose entries are wanted
        {"--actor": 2, "--limit": 2},
    )
    assert isinstance(app, typer.Typer)
