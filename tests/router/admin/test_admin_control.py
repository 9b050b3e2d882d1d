"""The control process starts where it may, and says in one sentence why it does not."""

import os
import subprocess
import sys

import httpx
import pytest
from router_live import Live

from registry.home import OpenDoor, Settings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])
def test_no_port_is_opened_to_others_before_a_token_was_chosen(tmp_path, host):
    settings = Settings(home=tmp_path, host=host)

    with pytest.raises(OpenDoor, match=r"no token was set for them.*UNDERSTUDY_ADMIN_TOKEN"):
        settings.refuse_open_door()
    with pytest.raises(OpenDoor, match="has only 6 characters"):
        Settings(home=tmp_path, host=host, admin_token="secret").refuse_open_door()
    assert settings.public


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_alone_needs_no_choice(tmp_path, host):
    settings = Settings(home=tmp_path, host=host)
    settings.refuse_open_door()

    assert not settings.public


def test_a_chosen_token_or_a_chosen_file_opens_the_door(tmp_path):
    Settings(home=tmp_path, host="0.0.0.0", admin_token="x" * 16).refuse_open_door()
    chosen = Settings(home=tmp_path, host="0.0.0.0", admin_tokens_file=tmp_path / "tokens")
    chosen.refuse_open_door()

    assert chosen.tokens_file == tmp_path / "tokens"


def test_addresses_of_the_newer_internet_are_written_in_brackets(tmp_path):
    settings = Settings(home=tmp_path, host="::1")

    assert (settings.router_url, settings.admin_url) == ("http://[::1]:3000", "http://[::1]:3001")


def control(settings, **environ):
    names = {"HOME": settings.home, "ADMIN_PORT": settings.admin_port, **environ}
    return subprocess.run(
        [sys.executable, "-m", "router.control"],
        env=os.environ | {f"UNDERSTUDY_{name}": str(value) for name, value in names.items()},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_control_does_not_start_in_public_without_a_chosen_token(settings):
    done = control(settings, HOST="0.0.0.0")

    assert done.returncode == 2
    assert "UNDERSTUDY_HOST is 0.0.0.0, which others can reach" in done.stderr
    assert "Traceback" not in done.stderr


def test_control_does_not_start_with_tokens_that_it_does_not_understand(settings):
    settings.tokens_file.write_text("ann king short\n")
    done = control(settings)

    assert done.returncode == 2
    assert "line 1: role 'king' is none of viewer, operator, approver" in done.stderr
    assert "short" not in done.stderr


def test_a_real_control_counts_wrong_tokens_by_the_address_they_come_from(live: Live):
    live.start("control")
    forged = [{"Authorization": "Bearer wrong", "X-Forwarded-For": f"10.0.0.{n}"} for n in range(12)]
    with httpx.Client(base_url=live.settings.admin_url, trust_env=False) as stranger:
        statuses = [stranger.get("/v1/models", headers=headers).status_code for headers in forged]
        assert "server" not in stranger.get("/healthz").headers

    assert statuses == [401] * 10 + [429] * 2
    assert live.admin.get("/v1/models").status_code == 200
