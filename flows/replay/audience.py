"""Who watches a replay: a progress bar on a terminal, plain lines elsewhere."""

import math
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from flows.replay.player import Scene


class Terminal:
    """A bar with virtual date, served metric and split; notable things scroll by above it."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("[bold]{task.fields[date]}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[quality]}  {task.fields[split]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("replay", total=None, date="getting ready", quality="", split="")
        self._date, self._quarter = "", -1

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def told(self, said: str) -> None:
        """Print one line, with the virtual date it happened on."""
        self._console.print(f"[cyan]{self._date or '-':<10}[/cyan] {escape(said)}", soft_wrap=True, highlight=False)

    def saw(self, scene: Scene) -> None:
        """Move the bar; without a terminal, print a line now and then."""
        self._date = f"{scene.now:%Y-%m-%d}"
        self._bar.update(
            self._task,
            total=scene.rows,
            completed=scene.done,
            date=f"{scene.now:%Y-%m-%d %H:%M}",
            quality=quality_text(scene),
            split=split_text(scene),
        )
        quarter = 20 * scene.done // scene.rows
        if not self._console.is_terminal and quarter != self._quarter:
            self._quarter = quarter
            self.told(f"{scene.done} of {scene.rows} rows, {quality_text(scene)}, {split_text(scene)}")


def quality_text(scene: Scene) -> str:
    """Write the metric of the newest labelled rows."""
    name, value = scene.quality
    return f"{name} -" if math.isnan(value) else f"{name} {value:.4g}"


def split_text(scene: Scene) -> str:
    """Write who answers which share."""
    return " ".join(f"{version} {share:.0%}" for version, share in scene.split.items())
