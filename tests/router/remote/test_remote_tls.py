"""Over TLS the server must be who it says."""

import shutil
import subprocess

import pytest
from upstream_making import ROWS, SCORES, Served, ask_once, remote_of

from registry.errors import ArtifactRefused
from registry.records.upstream import Upstream
from registry.upstream.failed import UpstreamFailed

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    wanted = ["-subj", "/CN=upstream", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*new, "-keyout", key, "-out", certificate, *wanted], check=True, capture_output=True, timeout=60)
    with Served(ssl_keyfile=key, ssl_certfile=certificate) as running:
        yield running, certificate


def upstream_of(url, **changes):
    return Upstream(url=f"{url}/score", protocol="json", **changes)


def test_a_server_that_the_named_authorities_vouch_for_is_asked(secured):
    server, certificate = secured

    assert ask_once(remote_of(upstream_of(server.url, ca_file=certificate)), deadline_ms=5000) == pytest.approx(SCORES)


def test_a_server_that_nobody_vouches_for_or_of_another_name_is_not_asked(secured):
    server, certificate = secured
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    for upstream in (upstream_of(server.url), upstream_of(elsewhere, ca_file=certificate)):
        with pytest.raises(UpstreamFailed, match=r"unreachable.*CERTIFICATE_VERIFY_FAILED"):
            ask_once(remote_of(upstream), ROWS, deadline_ms=5000)

    assert len(server.asked) <= 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_refuse_the_version_when_it_is_loaded(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ArtifactRefused, match="ca_file"):
        remote_of(upstream_of("https://127.0.0.1:9", ca_file=str(file)))
