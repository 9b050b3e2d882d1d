"""What a study depends on, as one name: only a study on the same basis is resumed."""

from importlib.metadata import version

from flows.config.model import ModelConfig
from flows.training.layout import Layout
from flows.training.rows import Rows, fingerprint
from flows.training.tuning.journal import digest

ELSEWHERE = frozenset(
    {"engine", "workers", "dask", "storage", "threads", "trials", "time_budget", "time_limit", "pruning"}
)
"""Settings that change how many trials there are, or where they run, but not what one comes to."""
LIBRARIES = ("understudy", "xgboost", "lightgbm", "scikit-learn", "optuna", "numpy")


def basis_of(config: ModelConfig, rows: Rows, layout: Layout, metric: str, seed: int) -> str:
    """Name rows, their layout, configuration, seed and libraries."""
    keys = ("_key",) if config.training.grouped else ()
    return digest(
        fingerprint(rows.frame, (*rows.names, *keys)),
        repr(layout),
        config.task,
        config.features.model_dump_json(),
        config.training.model_dump_json(exclude=set(ELSEWHERE)),
        metric,
        seed,
        [version(name) for name in LIBRARIES],
    )
