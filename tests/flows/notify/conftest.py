"""Real receivers on loopback, and a state folder with a registry."""

import contextlib
from datetime import UTC, datetime

import pytest
import trustme
from receiving import received

from flows.config.load import parse_config, register_config
from registry.home import Settings
from registry.records.notice import Notice
from registry.store.registry import Registry


@pytest.fixture
def receiving():
    """Start receivers; with a context, behind TLS."""
    with contextlib.ExitStack() as stack:
        yield lambda context=None, port=0: stack.enter_context(received(context, port))


@pytest.fixture
def receiver(receiving):
    return receiving()


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    """Have this process trust the authority, as an administrator would."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    return file


@pytest.fixture
def where(tmp_path):
    return Settings(home=tmp_path / "state").prepare()


@pytest.fixture
def registry(where):
    with Registry.open(where.registry_url) as registry:
        yield registry


@pytest.fixture
def told_to(where):
    """Register a model with these addresses."""

    def register(*urls, model="churn", **more):
        document = {"model": model, "task": "binary", "target": "left", "features": {"numeric": ["x"]}}
        config = parse_config(document | {"notify": {"urls": list(urls), **more}}, "test")
        register_config(config, where)

    return register


@pytest.fixture
def waiting(registry):
    """Put notices into the outbox."""

    def put(*keys, model="churn", **more):
        now = datetime.now(UTC)
        for key in keys:
            fields = {"kind": "rollout.moved", "title": key, "body": "It moves.", "created_at": now, "next_at": now}
            assert registry.add_notice(Notice(key=key, model=model, **fields | more))

    return put


@pytest.fixture
def hurried(registry):
    """Make everything that waits for another try due."""

    def hurry():
        now = datetime.now(UTC)
        for one in registry.notices():
            if one.status == "waiting":
                registry.mark_notice(one.key, status="waiting", attempts=one.attempts, next_at=now, missed=one.missed)

    return hurry
