"""Fits and replays in several processes; what comes out does not depend on how many."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from flows.backtest.engine import Run, Setting, chosen, replay
from flows.backtest.policies.names import Spec
from flows.backtest.policies.protocol import Policy

if TYPE_CHECKING:
    from flows.config.model import ModelConfig

Done = Callable[[str], None]
Result = TypeVar("Result")
MOST = 4
GRACE = 5.0  # seconds that a process may take to end


def usual_workers() -> int:
    """As many as processors that this process may use, at most four."""
    return min(MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class Crew:
    """
    Does the work of a replay, in this process or in several.

    Processes are started afresh, not forked: the libraries that they use hold threads.
    """

    def __init__(self, setting: Setting, config: "ModelConfig", pool: ProcessPoolExecutor | None) -> None:
        self._setting, self._config, self._pool = setting, config, pool

    def prepare(self, done: Done) -> None:
        """Fit, after every batch, what the replay's own choice of a window would learn from."""
        numbers = range(-1, self._setting.batches - 1)
        if self._pool is None:
            for number in numbers:
                _fitted(self._setting, number)
                done("fit")
            return
        for _ in _each([self._pool.submit(_prepare, number) for number in numbers]):
            done("fit")

    def run(self, specs: Sequence[Spec], done: Done) -> dict[str, Run]:
        """Replay policies by name, in the order that they were asked for."""
        if self._pool is None:
            found = {}
            for spec in specs:
                found[str(spec)] = replay(spec.make(self._config), self._setting)
                done(str(spec))
            return found
        futures = {self._pool.submit(_run, spec): str(spec) for spec in specs}
        runs = {}
        for future in _each(list(futures)):
            runs[futures[future]] = future.result()
            done(futures[future])
        return {str(spec): runs[str(spec)] for spec in specs}

    def alone(self, policy: Policy) -> Run:
        """Replay a policy here; for those whose fits are all made."""
        return replay(policy, self._setting)


@contextmanager
def crew(setting: Setting, config: "ModelConfig", workers: int) -> Iterator[Crew]:
    """
    Open a crew; an interrupt ends its processes at once.

    Args:
        setting: Is sent to every process once.
        config: The model's.
        workers: Processes; 1: all is done here.
    """
    if workers <= 1:
        yield Crew(setting, config, None)
        return
    shared = setting.workshop.folder / "shared.pickle"  # large: through a pipe, each start would wait for the last
    shared.write_bytes(pickle.dumps((setting, config)))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(shared,))
    try:
        with _unheard():
            for _ in range(workers):
                pool.submit(_ready)
        yield Crew(setting, config, pool)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        _end(multiprocessing.active_children())
        raise
    pool.shutdown()


@contextmanager
def _unheard() -> Iterator[None]:
    """
    Processes that begin now never hear an interrupt; it is kept for us, and we end them.

    They inherit the mask. It does not keep the interrupt from us where the libraries have threads, so we only
    note it until all have begun: one that is left half begun would complain.
    """
    kept: list[int] = []
    ours = threading.current_thread() is threading.main_thread()
    usual = signal.signal(signal.SIGINT, lambda number, _frame: kept.append(number)) if ours else None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if ours:
            signal.signal(signal.SIGINT, usual)
    if kept:
        raise KeyboardInterrupt


def _end(processes: list[BaseProcess]) -> None:
    """At once, and wait until they have gone: their folder is removed next."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(GRACE)


def _each(futures: "list[Future[Result]]") -> "Iterator[Future[Result]]":
    for future in as_completed(futures):
        future.result()
        yield future


_SHARED: "list[tuple[Setting, ModelConfig]]" = []


def _begin(shared: Path) -> None:
    _SHARED.append(pickle.loads(shared.read_bytes()))  # noqa: S301 (we have just written it)


def _ready() -> None:
    """Have a process started."""


def _prepare(number: int) -> None:
    _fitted(_SHARED[0][0], number)


def _fitted(setting: Setting, number: int) -> None:
    for window in chosen(setting, Run.empty(), number).windows:
        setting.workshop.seconds(window)


def _run(spec: Spec) -> Run:
    setting, config = _SHARED[0]
    return replay(spec.make(config), setting)
