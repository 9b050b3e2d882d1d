"""What cannot be asked is refused when it is written down, with every mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidRecord
from registry.records.upstream import Upstream

GOOD = {"url": "http://localhost:8080/score", "protocol": "json"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "ftp://x"}, "no http:// or https:// address"),
        ({"url": "localhost:80"}, "no http:// or https:// address"),
        ({"url": "http://"}, "no http:// or https:// address"),
        ({"url": "http://a:0/"}, "port 0"),
        ({"url": "http://a:99999/"}, "no address"),
        ({"url": "http://ann:pw@a/"}, "user or password"),
        ({"url": "http://a/#b"}, "fragment"),
        ({"url": "http://a/b c"}, "blanks"),
        ({"url": "http://a/\nX: y"}, "blanks"),
        ({"protocol": "v2"}, "model is missing"),
        ({"protocol": "mlflow", "request": {"a": "$rows"}}, "request is not used by mlflow"),
        ({"protocol": "v2", "model": "m", "layout": "split"}, "none of v2's: columns, matrix"),
        ({"model": "m"}, "model is not used by json"),
        ({"scores": "predictions"}, "no JSON pointer"),
        ({"score": "/~2"}, "no JSON pointer"),
        ({"request": {"rows": []}}, "0 places for '$rows'"),
        ({"request": ["$rows", "$rows"]}, "2 places for '$rows'"),
        ({"request": {"a": "$rows", "b": "$row"}}, "unknown place '$row'"),
        ({"request": {"$rows": "$rows"}}, "as a name"),
        ({"headers": {"Host": "a"}}, "'Host' cannot be set"),
        ({"headers": {"a b": "c"}}, "cannot be set"),
        ({"headers": {"x": "a\r\nb: c"}}, "not printable"),
        ({"headers": {"Authorization": "Bearer abc"}}, "holds a secret"),
        ({"headers": {"X-Api-Key": "abc"}}, "holds a secret"),
        ({"headers": {"x": "${UNDERSTUDY_ADMIN_TOKEN}"}}, "belongs to Understudy"),
        ({"ca_file": "/etc/ca.pem"}, "needs an https:// address"),
        ({"url": "https://a/", "ca_file": "ca.pem"}, "a path that begins with '/'"),
        ({"connect_ms": 0}, "connect_ms 0"),
        ({"deadline_ms": float("inf")}, "deadline_ms inf"),
        ({"connections": 0}, "connections 0"),
        ({"reply_bytes": 1 << 40}, "reply_bytes"),
        ({"threshold": float("nan")}, "threshold nan"),
    ],
)
def test_what_cannot_be_asked_is_refused(changes, said):
    with pytest.raises(InvalidRecord) as refused:
        Upstream(**GOOD | changes)

    assert said in refused.value.why


def test_all_mistakes_are_named_at_once():
    with pytest.raises(InvalidRecord, match="4 mistakes"):
        Upstream(url="x", protocol="v2", connections=0, headers={"Cookie": "a"})


@pytest.mark.parametrize("header", ["Bearer ${TOKEN}", "${A}${B}"])
def test_secrets_are_names_and_survive_being_stored(header):
    upstream = Upstream(**GOOD, headers={"authorization": header})

    assert Upstream.from_json(upstream.to_json()) == upstream
    assert upstream.secrets() == (["TOKEN"] if "TOKEN" in header else ["A", "B"])


def test_what_does_not_fit_the_features_of_a_model_is_named():
    upstream = Upstream(url="http://a", protocol="v2", model="m", layout="matrix", names={"x": "z", "w": "q"})

    mistakes = upstream.mistakes_for({"x": "numeric", "z": "categorical", "$rows": "numeric"})

    assert len(mistakes) == 4
    assert all(
        part in "; ".join(mistakes) for part in ("'w'", "two features are called 'z'", "stands for", "categorical")
    )


@given(st.text())
def test_any_text_is_an_address_or_is_refused(url):
    try:
        upstream = Upstream(url=url, protocol="json")
    except InvalidRecord:
        return
    assert upstream.url.startswith(("http://", "https://", "HTTP", "Http")) or "://" in upstream.url
