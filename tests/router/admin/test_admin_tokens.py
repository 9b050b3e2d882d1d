"""Every token is one person's, or nobody's; a file with a mistake is refused whole."""

import hashlib
import os

import pytest
from admin_making import SHARED

from registry.errors import InvalidRecord
from router.admin.tokens import Caller, TokenBook

ANN, BOB = "a" * 20, "b" * 20


@pytest.fixture
def file(tmp_path):
    return tmp_path / "admin-tokens"


def write(file, text):
    file.write_text(text)
    os.utime(file, ns=(file.stat().st_mtime_ns, file.stat().st_mtime_ns + 1_000_000))


def test_the_shared_token_may_do_everything_and_vouches_for_nobody(file):
    assert TokenBook(SHARED, file).caller(SHARED.encode()) == Caller(None, "approver")


@pytest.mark.parametrize("wrong", [b"", b"Secret", b"secret ", b"\xff", b"s" * 100_000])
def test_anything_else_is_nobodys(file, wrong):
    assert TokenBook(SHARED, file).caller(wrong) is None


def test_a_token_is_stored_as_it_is_or_as_its_digest(file):
    digest = hashlib.sha256(BOB.encode()).hexdigest()
    write(file, f"# people\n\nann viewer {ANN}\nbob operator sha256:{digest}\n")
    book = TokenBook(SHARED, file)

    assert book.caller(ANN.encode()) == Caller("ann", "viewer")
    assert book.caller(BOB.encode()) == Caller("bob", "operator")
    assert book.caller(f"sha256:{digest}".encode()) is None


def test_a_line_that_comes_or_goes_needs_no_restart(file):
    book = TokenBook(SHARED, file)
    assert book.caller(ANN.encode()) is None

    write(file, f"ann viewer {ANN}\n")
    assert book.caller(ANN.encode()) == Caller("ann", "viewer")
    file.unlink()
    assert book.caller(ANN.encode()) is None


def test_a_mistake_made_later_leaves_the_tokens_as_they_were(file, caplog):
    write(file, f"ann viewer {ANN}\n")
    book = TokenBook(SHARED, file)
    write(file, f"ann king {ANN}\nbob viewer {BOB}\n")

    assert book.caller(ANN.encode()) == Caller("ann", "viewer")
    assert book.caller(BOB.encode()) is None
    assert "role 'king' is none of viewer, operator, approver" in caplog.text


def test_all_mistakes_are_named_at_once_and_no_token_among_them(file):
    write(file, f"Ann viewer {ANN}\nbob king short\ncy viewer sha256:12\nonly two\n")

    with pytest.raises(InvalidRecord) as refused:
        TokenBook(SHARED, file)

    for said in ("line 1: the name 'Ann'", "line 2: role 'king'", "5 characters", "line 3: its digest", "line 4 has 2"):
        assert said in refused.value.why
    assert ANN not in str(refused.value)
    assert "short" not in str(refused.value)


def test_two_people_never_share_a_token(file):
    write(file, f"ann viewer {ANN}\nbob operator {ANN}\n")

    with pytest.raises(InvalidRecord, match="line 2: its token is that of line 1"):
        TokenBook(SHARED, file)


@pytest.mark.parametrize(("role", "may"), [("viewer", 1), ("operator", 2), ("approver", 3)])
def test_each_role_may_what_those_before_it_may(role, may):
    roles = ("viewer", "operator", "approver")

    assert [Caller("ann", role).may(other) for other in roles] == [True] * may + [False] * (3 - may)


@pytest.mark.parametrize(("mode", "token", "warned"), [(0o644, "t" * 16, True), (0o600, "t" * 16, False)])
def test_a_file_that_others_may_read_is_told_of(tmp_path, caplog, mode, token, warned):
    file = tmp_path / "tokens"
    file.write_text(f"ann operator {token}\n")
    file.chmod(mode)

    assert TokenBook("shared", file).caller(token.encode()).name == "ann"
    assert ("others may read" in caplog.text) is warned


def test_a_file_of_digests_may_be_read_by_others(tmp_path, caplog):
    file = tmp_path / "tokens"
    file.write_text(f"ann operator sha256:{hashlib.sha256(b'right').hexdigest()}\n")
    file.chmod(0o644)

    assert TokenBook("shared", file).caller(b"right").name == "ann"
    assert caplog.text == ""
