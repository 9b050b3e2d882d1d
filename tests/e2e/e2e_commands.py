"""The `understudy` command in a state folder of its own, on free ports."""

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from flows.ops.environment import MARK
from flows.ops.ports import free_port


@dataclass(frozen=True)
class Place:
    """Where a system of its own lives."""

    home: Path
    env: dict[str, str]

    @classmethod
    def under(cls, folder: Path) -> "Place":
        home = folder / "state"
        ports = {f"UNDERSTUDY_{name}_PORT": str(free_port()) for name in ("ROUTER", "ADMIN", "PREFECT")}
        return cls(home, {**os.environ, "UNDERSTUDY_HOME": str(home), **ports})

    def start(self, *words: str, output: Path) -> subprocess.Popen:
        with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
            return subprocess.Popen(command(words), env=self.env, stdout=out, stderr=err)

    def run(self, *words: str, seconds: float) -> subprocess.CompletedProcess:
        return subprocess.run(command(words), env=self.env, capture_output=True, text=True, timeout=seconds)

    def processes(self, *words: str) -> list[psutil.Process]:
        """Live processes of this place whose command line holds all words; not their keepers."""
        found = []
        for one in psutil.process_iter():
            try:
                line = " ".join(one.cmdline())
                ours = one.environ().get(MARK) == str(self.home)
            except psutil.Error:
                continue
            if ours and "flows.ops.keep" not in line and all(word in line for word in words):
                found.append(one)
        return found

    def kill(self, *words: str) -> int:
        """kill -9."""
        found = self.processes(*words)
        for one in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        return len(found)


def command(words: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "flows.cli.main", *words]
