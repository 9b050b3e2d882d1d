"""How to replay."""

from dataclasses import dataclass, field

from flows.backtest.batches import Plan
from flows.backtest.memory import Memory
from flows.backtest.policies.names import Spec
from flows.backtest.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    How to replay.

    Attributes:
        policies: Beside never and always, which are always there.
        window: How far back retrainings look.
        changes: Batches after which something is known to have changed; empty: the oracle says.
        price_retraining, price_point: For the cost; a point is .01 of a share, or one unit of an error.
        workers: Processes.
        trials: Numbers that are tried for each policy; 0: nothing is tuned.
    """

    policies: tuple[Spec, ...] = ()
    plan: Plan = field(default_factory=Plan)
    window: Memory = field(default_factory=Memory)
    metric: str | None = None
    recipe: Recipe = field(default_factory=Recipe)
    changes: tuple[int, ...] = ()
    price_retraining: float | None = None
    price_point: float | None = None
    workers: int = 1
    trials: int = 0
