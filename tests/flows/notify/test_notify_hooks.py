"""Webhooks behind TLS, in the shapes of Slack and Teams, and blocks of Prefect's."""

import ssl

import pytest
import trustme

from flows.notify.send import send_due
from flows.notify.trial import try_addresses

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"


@pytest.fixture
def secured(receiving, authority):
    def start(issuer=authority, name="127.0.0.1"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issuer.issue_cert(name).configure_cert(context)
        return receiving(context)

    return start


def test_a_webhook_gets_it_behind_tls(where, registry, told_to, waiting, secured, trusted):
    receiver = secured()
    told_to(f"jsons://127.0.0.1:{receiver.port}/hook")
    waiting("one")

    assert send_due(where, registry).sent == 1
    assert (receiver.heard[0]["title"], receiver.heard[0]["message"]) == ("one", "It moves.")


@pytest.mark.parametrize("stranger", [True, False])
def test_a_webhook_whose_certificate_is_wrong_gets_nothing(told_to, where, secured, trusted, stranger):
    receiver = secured(trustme.CA()) if stranger else secured(name="hooks.example.org")
    told_to(f"jsons://127.0.0.1:{receiver.port}/hook")

    assert [one.arrived for one in try_addresses(where, "churn")] == [False]
    assert receiver.tries == 0


def test_slack_gets_its_own_shape(where, registry, told_to, waiting, secured, trusted, monkeypatch):
    from apprise.plugins.slack import NotifySlack

    receiver = secured()
    monkeypatch.setattr(NotifySlack, "webhook_url", f"https://127.0.0.1:{receiver.port}/services")
    told_to(SLACK)
    waiting("one")

    assert send_due(where, registry).sent == 1
    assert receiver.heard[0]["path"] == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    assert receiver.heard[0]["attachments"][0]["title"] == "one"
    assert "It moves." in receiver.heard[0]["attachments"][0]["text"]


def test_teams_gets_a_card(where, registry, told_to, waiting, secured, trusted):
    receiver = secured()
    told_to(f"workflows://127.0.0.1:{receiver.port}/WFID/SIGNATURE")
    waiting("one")

    assert send_due(where, registry).sent == 1
    card = receiver.heard[0]["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard"
    assert "one" in str(card)
    assert "It moves." in str(card)
