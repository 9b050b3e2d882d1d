"""A study in a database that several machines share: whoever joins takes the next trial."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.errors import Unreachable
from flows.training.families.family import Budget
from flows.training.tuning.crew import begin, processes
from flows.training.tuning.luggage import packed, unpacked, write
from flows.training.tuning.trials import Race, Search, Trial, Tried, kept, pruner, watching

HEARTBEAT_S = 60
"""A worker that is silent for twice as long has died; its trial does not count."""


def explored_together(
    search: Search, race: Race, budget: Budget, known: Sequence[Mapping[str, Any]], name: str
) -> list[Trial]:
    """
    Run a study in `training.storage`, with `training.workers` processes here and all who join.

    The fold is kept under the study's name in the folder of the event, or in a temporary one;
    other machines that see that folder join by `python -m flows.training.tuning.worker`.
    A study of the same name goes on, wherever it was begun.

    Raises:
        Unreachable: If the storage does not answer.
    """
    tuning, url = budget.tuning, str(budget.tuning.storage)
    with _opened(url) as storage:
        study, luggage = _begun(storage, name, known), (search, tuning.pruning, race)
        if tuning.folder:
            write(luggage, tuning.folder / name)
            _joined_by(tuning.workers, url, name, tuning.folder / name, budget)
        else:
            with packed(luggage) as folder:
                _joined_by(tuning.workers, url, name, folder, budget)
        return [_trial(one) for one in study.get_trials(states=_ended())][: budget.trials]


def _joined_by(workers: int, url: str, name: str, folder: Path, budget: Budget) -> None:
    if workers == 1:
        join(url, name, folder, trials=budget.trials, seconds=budget.left, polite=False)
        return
    with processes(workers) as pool:
        jobs = [pool.submit(join, url, name, folder, trials=budget.trials, seconds=budget.left) for _ in range(workers)]
        for job in jobs:
            job.result()


def join(url: str, name: str, folder: Path, *, trials: int, seconds: float | None = None, polite: bool = True) -> int:
    """
    Take trials of a study until it has as many as it shall have.

    Args:
        url: Optuna storage.
        name: Of the study.
        folder: Holds the prepared fold.
        trials: In all, of all workers.
        seconds: After which no new one is begun.
        polite: Whether this process steps back behind others.

    Returns:
        How many trials the study has.
    """
    if polite:
        begin()
    search, pruning, race = unpacked(folder)
    with _opened(url) as storage:
        return _worked(storage, name, search, pruning, race, trials, seconds)


def _worked(
    storage: Any, name: str, search: Search, pruning: bool, race: Race, trials: int, seconds: float | None
) -> int:
    import optuna

    sampler = optuna.samplers.TPESampler(seed=os.getpid() ^ search.seed)
    study = optuna.load_study(study_name=name, storage=storage, sampler=sampler, pruner=pruner(search, pruning))

    def objective(trial: Any) -> float:
        tried: Tried = race.run(search.space.suggest(trial), watching(trial) if search.rounds else None)
        for found, value in tried.found.items():
            trial.set_user_attr(found, value)
        return tried.loss

    enough = optuna.study.MaxTrialsCallback(trials, states=_ended())
    if len(study.get_trials(deepcopy=False, states=_ended())) < trials:
        study.optimize(objective, timeout=seconds, callbacks=[enough])
    return len(study.get_trials(deepcopy=False, states=_ended()))


def _begun(storage: Any, name: str, known: Sequence[Mapping[str, Any]]) -> Any:
    """Find the study, or begin it with what is known."""
    import optuna

    study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
    if not study.get_trials(deepcopy=False):
        for params in known:
            study.enqueue_trial(dict(params))
    return study


@contextmanager
def _opened(url: str) -> Iterator[Any]:
    """
    Open the storage, and close its connections at the end.

    Raises:
        Unreachable: If it does not answer.
    """
    import optuna
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of the heartbeat, which has been one since Optuna 2
            storage = RDBStorage(url, heartbeat_interval=HEARTBEAT_S, grace_period=2 * HEARTBEAT_S)
    except (SQLAlchemyError, OSError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        why = f"training.storage does not answer: {reason}."
        raise Unreachable("Nothing was tuned.", why, "Start it, or correct its address.") from error
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _ended() -> Any:
    from optuna.trial import TrialState

    return (TrialState.COMPLETE, TrialState.PRUNED)


def _trial(one: Any) -> Trial:
    complete = one.state.name == "COMPLETE"
    return kept(one, one.params, Tried(one.value, one.user_attrs) if complete else None)
