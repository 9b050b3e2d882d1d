"""Join the parts of a replay: prepare or resume, play, sum up."""

import contextlib
import hashlib
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec

from flows.client.clock import lives_in_another_time, played_time
from flows.config.load import register_config
from flows.config.model import ModelConfig
from flows.data import Origin, save_seed
from flows.data.sources import name_of
from flows.replay.closing import sum_up, write_files
from flows.replay.errors import ReplayExists, ReplayRefused
from flows.replay.live import live
from flows.replay.player import Audience, Options, Player
from flows.replay.progress import Journal, Progress
from flows.replay.source import Table, first_rows, load
from flows.replay.summary import Summary
from flows.replay.timetable import timetable
from registry.home import Settings


def replay(
    settings: Settings,
    config: ModelConfig,
    source: Path | None,
    options: Options,
    audience: Audience,
    *,
    resume: bool = False,
) -> Summary:
    """
    Play *source* through the live system, which must be up.

    Everything is durable before the next thing happens: after an interruption, however
    rude, call it again with `resume`.

    Args:
        settings: Of the live system.
        config: Of the model; it is registered under the name of the replay.
        source: The time-ordered table; that of the configuration if absent.
        options: How it is played.
        audience: Who is told.
        resume: Go on with a replay of this name.

    Raises:
        ReplayExists: If there is one of this name, and `resume` is False.
        ReplayRefused: If it is running elsewhere, or is another one than was begun.
        ReplayStuck: If something did not come back in time.
    """
    config = config.model_copy(update={"model": options.name})
    refuse_running(settings, options.name)
    table = load(config, source, options.limit)
    journal = Journal(settings.replays_dir / options.name)
    system_of = live(settings, options.name, audience.told, config.data.classes)
    with played_time(settings, options.name), terminable(), system_of as system:
        progress = _begin(settings, config, table, options, journal, resume=resume)
        stops = timetable(table.times, start=progress.start, batch=options.batch, ticks=options.ticks)
        player = Player(
            options=options,
            config=config,
            table=table,
            stops=stops,
            live=system,
            journal=journal,
            progress=progress,
            audience=audience,
        )
        progress = player.play()
        answers = journal.answers(progress)
        summary = sum_up(config=config, table=table, stops=stops, live=system, progress=progress, answers=answers)
        journal.write(msgspec.structs.replace(progress, finished=True))
    return write_files(summary, journal.folder)


def refuse_running(settings: Settings, name: str) -> None:
    """Two processes must not play the same replay."""
    if lives_in_another_time(settings, name):
        raise ReplayRefused(f"{name} was not played.", "A replay of this name is running.", "Wait for it, or end it.")


def refuse_existing(settings: Settings, name: str) -> None:
    """
    Make sure that a new replay starts with nothing.

    Raises:
        ReplayExists: If there is a replay, or a model, of this name.
    """
    from registry.store.registry import Registry

    journal = Journal(settings.replays_dir / name)
    afresh = f"start afresh with --restart (as {free_name(settings, name)})"
    if journal.exists():
        done = "is finished" if journal.read().finished else "was interrupted"
        mend = f"Go on with --resume, or {afresh}, or give another --name."
        raise ReplayExists(f"{name} was not played.", f"A replay of this name {done}.", mend)
    with Registry.open(settings.registry_url) as registry:
        known = name in registry.models()
    if known:
        why = f"The registry knows a model {name!r}, which the replay would train and serve."
        raise ReplayExists(f"{name} was not played.", why, f"Give another --name, or {afresh}.")


def free_name(settings: Settings, name: str) -> str:
    """Name the next replay of the same kind: name-2, name-3 ..."""
    taken = {path.name for path in settings.replays_dir.iterdir()} | {p.stem for p in settings.configs_dir.iterdir()}
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}" if name in taken else name


def fingerprint(config: ModelConfig, table: Table, options: Options) -> str:
    """Hash of everything that decides what is sent when."""
    said = (config.data.label_delay, config.task, str(options.batch), options.first, options.ticks, table.fingerprint())
    return hashlib.sha256(repr(said).encode()).hexdigest()


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end a replay as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread, which alone gets signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _begin(
    settings: Settings,
    config: ModelConfig,
    table: Table,
    options: Options,
    journal: Journal,
    *,
    resume: bool,
) -> Progress:
    start = first_rows(len(table), options.first, config.training.min_rows)
    mark = fingerprint(config, table, options)
    if resume and journal.exists():
        return _resumed(journal.read(), mark)
    refuse_existing(settings, options.name)
    register_config(config, settings)
    origin = Origin(f"first {start} rows of {name_of(config.data.source)}", played=True)
    save_seed(settings, config, table.frame.head(start), origin)
    return journal.write(
        Progress(
            name=options.name,
            model=config.model,
            fingerprint=mark,
            start=start,
            rows=len(table),
            batch=str(options.batch),
            sent=start,
            labelled=start,
        )
    )


def _resumed(progress: Progress, mark: str) -> Progress:
    if progress.fingerprint != mark:
        raise ReplayRefused(
            f"{progress.name} was not resumed.",
            "Table, batch, --first, --limit or label delay differ from those it was begun with.",
            "Give the same ones, or start afresh with --restart.",
        )
    return progress
