"""A deliberately bad challenger: a good model that gets its features in the wrong places."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from flows.comparison.classes import top_label
from flows.config.aftercare import Validation
from flows.config.model import ModelConfig
from flows.replay.errors import ReplayRefused
from flows.rollout.begin import begin_rollout
from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.records.plan import CHAMPION
from registry.records.rollout import Rollout, Step
from registry.records.version import ModelVersion, next_version
from registry.scoring.scorer import SPEC_FILE, Scorer
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec
from registry.store.registry import Registry

ACTOR = "replay-saboteur"
REASON = "deliberately bad: features shuffled; begun without offline comparison, to see it stopped"


class Seen(NamedTuple):
    """Rows whose truth is known: features, and labels of shape (n,) without NaN."""

    rows: Sequence[Mapping[str, Any]]
    labels: NDArray[np.float64]


def worst(files: Mapping[str, bytes], seen: Seen, *, seed: int, tries: int = 24) -> ScorerSpec:
    """
    Try some ways to shuffle, and take the one with the largest loss on *seen*: squared errors, or wrong classes.

    A shuffled model may be nearly constant, and a constant may look fine for a while;
    this one is as bad as shuffling makes it.

    Raises:
        ReplayRefused: If no two features could change places, or the model is a server.
    """
    if SPEC_FILE not in files:
        raise ReplayRefused(
            "No bad challenger was made.",
            "The champion is a model server; only what has files here can be spoilt.",
            "Promote a version that was trained or published here, or leave --inject-bad-challenger out.",
        )
    spec, rng = ScorerSpec.from_json(files[SPEC_FILE]), np.random.default_rng(seed)
    found = [shuffled(spec, rng) for _ in range(tries)]
    return max(found, key=lambda one: _loss(files, one, seen))


def shuffled(spec: ScorerSpec, rng: np.random.Generator) -> ScorerSpec:
    """
    Hand every column of the model another column's feature, numbers and categories apart.

    Raises:
        ReplayRefused: If no two features could change places.
    """
    following = _following([c for c in spec.columns if isinstance(c, NumericColumn)], rng)
    following |= _following([c for c in spec.columns if isinstance(c, CategoryColumn)], rng)
    if all(name == other for name, other in following.items()):
        raise ReplayRefused(
            "No bad challenger was made.",
            "The model has no two features of one kind.",
            "Leave --inject-bad-challenger out.",
        )
    columns = tuple(msgspec.structs.replace(c, feature=following[c.feature]) for c in spec.columns)
    return msgspec.structs.replace(spec, columns=columns)


def inject(
    settings: Settings,
    registry: Registry,
    config: ModelConfig,
    *,
    at: datetime,
    steps: Sequence[Step] | None,
    seen: Seen,
) -> Rollout:
    """
    Register a bad version and begin its rollout; doing it twice goes on with the same.

    Args:
        settings: Names the artifacts.
        registry: Where it is registered.
        config: Of the model.
        at: On the virtual clock.
        steps: Instead of the configured ones, e.g. without shadow.
        seen: Newest rows whose truth is known.
    """
    known = [version for version in registry.versions(config.model) if is_bad(version)]
    begun = [one for one in registry.rollouts(config.model) if known and one.challenger == known[0].version]
    if begun:
        return begun[0]
    bad = known[0] if known else _register(settings, registry, config, at, seen)
    unasked = config.model_copy(update={"validation": Validation(enabled=False)})  # it would be found out
    return begin_rollout(
        unasked,
        registry,
        model=config.model,
        challenger=bad.version,
        decision=None,
        actor=ACTOR,
        reason=REASON,
        at=at,
        steps=steps,
    )


def is_bad(version: ModelVersion) -> bool:
    """Whether a replay made it bad."""
    return version.actor == ACTOR


def highest_share(registry: Registry, model: str, version: str) -> float:
    """Largest share of callers that *version* ever answered, by all plans."""
    plans = registry.plans(model, limit=1_000_000)
    weights = [plan.weight_of(arm.variant) / 1_000_000 for plan in plans for arm in plan.arms if arm.version == version]
    return max(weights, default=0.0)


def _register(settings: Settings, registry: Registry, config: ModelConfig, at: datetime, seen: Seen) -> ModelVersion:
    model = config.model
    champion = registry.champion(model)
    if champion is None:
        raise ReplayRefused("No bad challenger was made.", f"{model} has no {CHAMPION}.", "Train one first.")
    store = ArtifactStore(settings.models_dir)
    files = store.load(model, champion.version, champion.artifact_digest)
    spec = worst(files, seen, seed=config.training.seed)
    name = next_version([version.version for version in registry.versions(model)])
    digest = store.save(model, name, {**files, SPEC_FILE: spec.to_json()})
    bad = msgspec.structs.replace(
        champion,
        version=name,
        stage="staging",
        metrics={},
        baseline_metrics={},
        artifact_digest=digest,
        parent=champion.version,
        created_at=at,
        actor=ACTOR,
        reason=REASON,
    )
    registry.register_version(bad)
    return bad


def _loss(files: Mapping[str, bytes], spec: ScorerSpec, seen: Seen) -> float:
    scorer = Scorer.of({**files, SPEC_FILE: spec.to_json()})
    if not len(seen.labels):
        return 0.0
    if spec.task == "multiclass":
        return 1 - float(top_label(seen.labels, scorer.probabilities(seen.rows)).right.mean())
    return float(((scorer.score(seen.rows) - seen.labels) ** 2).mean())


def _following(columns: Sequence[NumericColumn | CategoryColumn], rng: np.random.Generator) -> dict[str, str]:
    """One cycle through all features in random order: nobody keeps its place."""
    names = [str(name) for name in rng.permutation(list(dict.fromkeys(column.feature for column in columns)))]
    return dict(zip(names, [*names[1:], *names[:1]], strict=True))
