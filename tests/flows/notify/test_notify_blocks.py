"""Blocks of a real Prefect server, tried by the command that people use."""

import os
import ssl
import subprocess
import sys

import pytest

from flows.notify.address import Address

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def api():
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=240):
        yield PREFECT_API_URL.value()


@pytest.fixture
def tls(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def try_them(where, api, trusted):
    environ = os.environ | {
        "UNDERSTUDY_HOME": str(where.home),
        "PREFECT_API_URL": api,
        "REQUESTS_CA_BUNDLE": str(trusted),
        "SSL_CERT_FILE": str(trusted),
    }
    command = [sys.executable, "-m", "flows.cli.main", "notify", "test", "churn"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)


def test_blocks_of_prefect_are_addresses(where, api, receiving, told_to, tls, trusted):
    from prefect.blocks.notifications import CustomWebhookNotificationBlock, MicrosoftTeamsWebhook

    hook, teams, broken = receiving(), receiving(tls), receiving()
    broken.answers += [500] * 9
    for name, receiver in (("pager", hook), ("broken", broken)):
        CustomWebhookNotificationBlock(
            name=name,
            url=f"http://127.0.0.1:{receiver.port}/",
            json_data={"title": "{{subject}}", "text": "{{body}}"},
        ).save(name, _sync=True)
    card = f"https://127.0.0.1:{teams.port}/workflows/WFID/triggers/manual/paths/invoke?sig=SIGNATURE"
    MicrosoftTeamsWebhook(url=card).save("ops", _sync=True)
    urls = [f"prefect://custom-webhook/{name}" for name in ("pager", "broken", "absent")]
    urls.insert(1, "prefect://ms-teams-webhook/ops")
    told_to(*urls)

    done = try_them(where, api, trusted)

    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if line.startswith("prefect:"))
    assert [said[Address(url).name].partition(" (")[0] for url in urls] == [
        "arrived",
        "arrived",
        "it cannot be used",
        "there is no such block in Prefect",
    ], done.stdout + done.stderr
    assert hook.heard[0]["title"] == "churn: a test of notifications"
    assert "a test of notifications" in str(teams.heard[0])
    assert done.returncode == 1
