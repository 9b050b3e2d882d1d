"""What the README tells people to type exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.main import main

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```(?:bash|console|sh)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
LINES = [line.strip().removeprefix("$ ") for block in BLOCKS for line in block.splitlines()]
COMMANDS = sorted({match[1] for line in LINES if (match := re.search(r"(?:^|/)understudy ([a-z]+)", line))})
TARGETS = sorted({match[1] for line in LINES if (match := re.match(r"make ([a-z0-9]+)", line))})


def test_the_readme_shows_commands():
    assert {"demo", "replay"} <= set(COMMANDS)
    assert {"demo", "test"} <= set(TARGETS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_has_help_with_an_example(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"understudy {command}" in capsys.readouterr().out


def test_a_process_of_its_own_says_the_same():
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli.main", "demo", "--help"], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert "understudy demo" in done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_of_the_readme_exists(target):
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr


def test_every_file_that_the_readme_links_to_exists():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / "README.md").read_text())

    assert [link for link in links if not (ROOT / link).exists()] == []
