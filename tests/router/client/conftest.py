"""A real router in front of a model `leads`: half of the callers belong to a model server."""

from collections.abc import Iterator

import msgspec
import pytest
from client_making import Upstreams
from router_live import AT, Live, free_ports, register

from registry.artifacts import ArtifactStore
from registry.assignment import home_slices
from registry.home import Settings
from registry.records.plan import Arm, Guards, Slice
from registry.records.upstream import Upstream
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.scoring.scorer import scorer_files
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec
from registry.store.registry import Registry

FEATURES = (
    Feature(name="age", kind="numeric"),
    Feature(name="visits", kind="numeric"),
    Feature(name="channel", kind="categorical", levels=("search", "mail")),
)
SPEC = ScorerSpec(
    task="binary",
    kind="linear",
    columns=(
        NumericColumn(feature="age", fill=0.0),
        NumericColumn(feature="visits", fill=0.0),
        CategoryColumn(feature="channel", table={"search": (1.0,)}, unknown=(0.0,), missing=(0.0,)),
    ),
    coefficients=(0.0, 0.0, 1.0),
)

TOLERANT = Guards(
    deadline_ms=300.0, breaker_open_s=0.2, breaker_rollback_s=600.0, error_rate=0.99, latency_increase=1e6, alpha=1e-9
)


def version_of(settings: Settings, version: str, files: dict[str, bytes], model: str = "leads") -> ModelVersion:
    return ModelVersion(
        model=model,
        version=version,
        task="binary",
        target="bought",
        features=FEATURES,
        algorithm="test",
        data=TrainingData(rows=0, start=None, end=None, source="test", fingerprint="0"),
        artifact_digest=ArtifactStore(settings.models_dir).save(model, version, files),
        parity=0.0,
        created_at=AT,
        actor="test",
        reason="test",
    )


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Upstreams]:
    with Upstreams() as running:
        yield running


@pytest.fixture(scope="module")
def leads(tmp_path_factory: pytest.TempPathFactory, upstreams: Upstreams) -> Iterator[Live]:
    ports = free_ports(2)
    home = tmp_path_factory.mktemp("leads") / "state"
    settings = Settings(home=home, router_port=ports[0], admin_port=ports[1]).prepare()
    upstream = Upstream(url=upstreams.url, protocol="json", deadline_ms=400.0)
    files = {"upstream.json": upstream.to_json()}
    with Registry.open(settings.registry_url) as registry:
        register(settings, registry, "v1.0.0", 1.0)
        registry.install_first("m", "v1.0.0", guards=Guards(), salt="m", actor="test", reason="test", at=AT)
        registry.register_version(version_of(settings, "v1.0.0", scorer_files(SPEC, None)))
        registry.register_version(version_of(settings, "v1.1.0", files))
        registry.register_version(version_of(settings, "v1.0.0", files, "sidecar"))
        registry.install_first("sidecar", "v1.0.0", guards=Guards(), salt="s", actor="test", reason="test", at=AT)
        first = registry.install_first(
            "leads", "v1.0.0", guards=Guards(), salt="leads", actor="test", reason="test", at=AT
        )
        registry.publish_plan(
            msgspec.structs.replace(
                first,
                epoch=2,
                slices=tuple(Slice(variant=v, weight=w) for v, w in home_slices({"challenger": 500_000})),
                arms=(Arm(variant="champion", version="v1.0.0"), Arm(variant="challenger", version="v1.1.0")),
                guards=TOLERANT,
            )
        )
    running = Live(settings)
    try:
        running.start("router")
        yield running
    finally:
        running.stop()
