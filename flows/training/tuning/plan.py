"""How a study runs: where, how many trials at once, and what it leaves behind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flows.config.training import Training

Engine = Literal["local", "dask", "storage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """
    Everything about a study that does not change what is searched.

    Attributes:
        pruning: Whether hopeless trials are cut off.
        engine: Processes here, a Dask cluster, or whoever shares *storage*.
        workers: Trials at once; more than one makes the order in which they end count.
        dask: Address of a scheduler; a cluster on this machine if absent.
        storage: Optuna storage that workers share.
        folder: Where finished trials are kept until the event is done; nothing is kept if absent.
        basis: Fingerprint of rows, configuration and seed; only a study on the same basis is resumed.
    """

    pruning: bool = True
    engine: Engine = "local"
    workers: int = 1
    dask: str | None = None
    storage: str | None = None
    folder: Path | None = None
    basis: str = ""

    @classmethod
    def of(cls, training: Training, *, folder: Path | None = None, basis: str = "") -> "Tuning":
        """Read it from a configuration."""
        return cls(
            pruning=training.pruning,
            engine=training.engine,
            workers=training.workers,
            dask=training.dask,
            storage=training.storage,
            folder=folder,
            basis=basis,
        )
