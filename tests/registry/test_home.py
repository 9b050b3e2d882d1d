"""The state folder and its token."""

import stat
import subprocess
import sys

import pytest

from registry.errors import RegistryError
from registry.home import Settings


def test_the_token_is_made_once_and_only_its_owner_reads_it(tmp_path):
    home = tmp_path / "not" / "yet"
    settings = Settings(home=home)

    assert len(settings.token()) >= 32
    assert settings.token() == Settings(home=home).token()
    assert stat.S_IMODE((home / "admin-token").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["admin-token"]


def test_a_given_token_is_used_as_it_is(tmp_path):
    assert Settings(home=tmp_path, admin_token="secret").token() == "secret"
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_at_once_agree_on_a_whole_token(tmp_path):
    code = (
        "import sys; from pathlib import Path; from registry.home import Settings\n"
        "print(Settings(home=Path(sys.argv[1])).token())"
    )
    peers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    tokens = {peer.communicate(timeout=60)[0].strip() for peer in peers}

    assert len(tokens) == 1
    assert len(tokens.pop()) >= 32


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(RegistryError, match="UNDERSTUDY_HOME"):
        Settings(home=tmp_path / "file" / "home").prepare()


def test_everything_lives_in_the_state_folder(tmp_path):
    settings = Settings(home=tmp_path / "state").prepare()

    assert settings.registry_url == f"sqlite:///{tmp_path}/state/registry.sqlite"
    assert settings.models_dir.is_dir()
