"""Who runs the trials: this process, others beside it, or a Dask cluster; all of them the same way."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

from flows.errors import DataError, Unreachable
from flows.training.politeness import be_polite, cap_threads
from flows.training.tuning.errors import WorkerLost
from flows.training.tuning.luggage import packed, unpacked
from flows.training.tuning.plan import Tuning
from flows.training.tuning.trials import Order, Race, Trial, run

Submit = Callable[[Order], "Future[Trial]"]
JOIN_S = 60.0


def crew(race: Race, tuning: Tuning) -> AbstractContextManager[Submit]:
    """
    Gather who runs trials on *race*.

    Raises:
        DataError: If the race cannot be handed to another process, or a library is missing.
        Unreachable: If there is no scheduler at `training.dask`.
        WorkerLost: If a process that runs trials dies.
    """
    if tuning.engine == "dask":
        return _on_dask(race, tuning)
    return _beside(race, tuning) if tuning.workers > 1 else _here(race)


@contextmanager
def _here(race: Race) -> Iterator[Submit]:
    """One after another, in this process."""

    def submit(order: Order) -> "Future[Trial]":
        done: Future[Trial] = Future()
        done.set_result(run(race, order))
        return done

    yield submit


@contextmanager
def _beside(race: Race, tuning: Tuning) -> Iterator[Submit]:
    """In new processes (a fork of one that runs OpenMP may hang), which share the arrays of the fold."""
    with packed(race, tuning.folder) as folder, processes(tuning.workers) as pool:
        yield lambda order: pool.submit(run_from, folder, order)


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """
    Start polite processes, and end them: at once if something goes wrong here.

    Raises:
        WorkerLost: If one of them dies.
    """
    others = set(active_children())
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=begin_beside)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise WorkerLost(
            "Nothing was tuned.",
            f"One of {workers} processes that run trials has died, which is what happens when memory runs out.",
            "Lower training.workers, and train again: finished trials are not repeated.",
        ) from error
    except BaseException:
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _on_dask(race: Race, tuning: Tuning) -> Iterator[Submit]:
    with cluster(tuning) as client:
        there = client.scatter(race, broadcast=True, hash=False)
        with client.get_executor(pure=False) as executor:
            yield lambda order: executor.submit(run, there, order)


@contextmanager
def cluster(tuning: Tuning) -> Iterator[Any]:
    """
    Connect to the scheduler at `training.dask`, or start a cluster on this machine, one thread per worker.

    Raises:
        DataError: If Dask is not installed.
        Unreachable: If no scheduler answers.
    """
    try:
        import distributed
    except ImportError as error:
        raise DataError(
            "Nothing was tuned.", f"training.engine is dask, and {error.name} is not installed.", _INSTALL
        ) from error
    connect: Any = distributed.Client
    if tuning.dask is None:
        with _started(tuning.workers) as own, connect(own) as client:
            client.run(begin)
            yield client
        return
    try:
        client = connect(tuning.dask, timeout=JOIN_S, set_as_default=False)
    except (OSError, ValueError) as error:
        why = f"No Dask scheduler answers at {tuning.dask}: {error}."
        raise Unreachable("Nothing was tuned.", why, _START) from error
    with client:
        yield client


def _started(workers: int) -> AbstractContextManager[Any]:
    import distributed

    start: Any = distributed.LocalCluster
    quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": 40, "memory_limit": 0}
    made: AbstractContextManager[Any] = start(n_workers=workers, threads_per_worker=1, processes=True, **quiet)
    return made


_INSTALL = "Install it: `pip install 'understudy[dask]'`; or set training.engine to local."
_START = "Start it (`dask scheduler`, `dask worker`), or correct training.dask."


def begin() -> None:
    """Make a worker polite: low priority, no spinning threads, one thread for linear algebra."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    cap_threads()
    be_polite()
    threadpool_limits(limits=1, user_api="blas")


def begin_beside() -> None:
    """Leave when the process that has started this one is gone, even if it was killed."""
    begin()
    starter = parent_process()

    def leave() -> None:
        if starter is not None:
            starter.join()
            os._exit(1)

    Thread(target=leave, daemon=True).start()


def run_from(folder: Path, order: Order) -> Trial:
    """Run a trial on a fold that was packed; it is read once per process."""
    return run(_raced(folder), order)


@cache
def _raced(folder: Path) -> Any:
    return unpacked(folder)
