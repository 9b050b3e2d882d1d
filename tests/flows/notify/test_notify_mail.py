"""E-mail against a real SMTP server: STARTTLS, implicit TLS, passwords, and certificates that nobody vouches for."""

import email
import ssl

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from flows.notify.send import send_due
from flows.notify.trial import try_addresses

pytestmark = [
    pytest.mark.filterwarnings("ignore:Requiring AUTH"),  # the server does not know that it is behind TLS
]
WHO = "from=understudy@example.org&to=ops@example.org"


class Post:
    """Keeps what arrives."""

    def __init__(self):
        self.arrived = []

    async def handle_DATA(self, server, session, envelope):
        self.arrived.append((email.message_from_bytes(envelope.content), session.ssl is not None, session.auth_data))
        return "250 OK"


def password(server, session, envelope, mechanism, data):
    return AuthResult(success=data.password == b"s3cret", handled=False, auth_data=data.login)


class Mail(Controller):
    """A server that speaks TLS from the first byte, or after STARTTLS."""

    def __init__(self, post, context, *, implicit):
        self._context = context
        super().__init__(post, hostname="127.0.0.1", port=0, ssl_context=context if implicit else None)
        self._implicit = implicit

    def factory(self):
        more = {} if self._implicit else {"tls_context": self._context, "require_starttls": True}
        return SMTP(
            self.handler,
            authenticator=password,
            auth_required=True,
            auth_require_tls=not self._implicit,
            hostname="localhost",
            **more,
        )

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]  # the free one that it was given
        super()._trigger_server()


@pytest.fixture
def mail(authority):
    running = []

    def start(*, implicit=False, issuer=authority, name="127.0.0.1"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issuer.issue_cert(name).configure_cert(context)
        post = Post()
        server = Mail(post, context, implicit=implicit)
        server.start()
        running.append(server)
        return post, server.port

    yield start
    for server in running:
        server.stop()


@pytest.mark.parametrize(("implicit", "mode"), [(False, "starttls"), (True, "ssl")])
def test_mail_arrives_encrypted_and_with_a_password(where, registry, told_to, waiting, mail, trusted, implicit, mode):
    post, port = mail(implicit=implicit)
    told_to(f"mailtos://ann:s3cret@127.0.0.1:{port}?{WHO}&mode={mode}")
    waiting("churn: v1.1.0 moves on")

    assert send_due(where, registry).sent == 1
    message, encrypted, who = post.arrived[0]
    assert str(email.header.make_header(email.header.decode_header(message["subject"]))) == "churn: v1.1.0 moves on"
    assert (implicit or encrypted, who, message["to"]) == (True, b"ann", "ops@example.org")
    assert any("It moves." in str(part.get_payload(decode=True)) for part in message.walk())


def test_a_wrong_password_is_no_delivery_and_shows_nothing(where, registry, told_to, waiting, mail, trusted, caplog):
    post, port = mail()
    told_to(f"mailtos://ann:wr0ng-pass@127.0.0.1:{port}?{WHO}&mode=starttls")
    waiting("one")

    assert send_due(where, registry).missed == 1
    assert post.arrived == []
    assert registry.notices()[0].missed[0].startswith("mailtos:")
    assert "wr0ng" not in caplog.text + str(registry.notices()[0])


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("stranger", [True, False])
def test_a_certificate_that_is_not_vouched_for_is_refused(told_to, where, mail, trusted, implicit, stranger):
    wrong = {"issuer": trustme.CA()} if stranger else {"name": "mail.example.org"}
    post, port = mail(implicit=implicit, **wrong)
    mode = "ssl" if implicit else "starttls"
    told_to(f"mailtos://ann:s3cret@127.0.0.1:{port}?{WHO}&mode={mode}")

    tried = try_addresses(where, "churn")

    assert [one.arrived for one in tried] == [False]
    assert post.arrived == []
