import os
import socket

import pytest

from flows.ops.errors import PortBusy
from flows.ops.ports import free_port, holder, refuse_busy_ports, wanted_ports
from registry.home import Settings


@pytest.fixture
def settings():
    return Settings(router_port=free_port(), admin_port=free_port(), prefect_port=free_port())


def test_free_ports_are_fine(settings):
    refuse_busy_ports(settings)

    wanted = wanted_ports(settings)
    assert sorted(wanted.values()) == sorted([settings.router_port, settings.admin_port, settings.prefect_port])
    assert {holder(port) for port in wanted.values()} == {None}


def test_a_busy_port_is_refused_with_port_holder_and_the_setting_to_change(settings):
    with socket.socket() as held:
        held.bind(("127.0.0.1", settings.admin_port))
        held.listen()
        with pytest.raises(PortBusy) as refused:
            refuse_busy_ports(settings)

    said = str(refused.value)
    assert f"port {settings.admin_port}" in said
    assert f"process {os.getpid()}" in said
    assert "UNDERSTUDY_ADMIN_PORT=" in said
    assert "UNDERSTUDY_ROUTER_PORT" not in said


def test_all_busy_ports_are_named_at_once(settings):
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", settings.router_port))
        two.bind(("127.0.0.1", settings.prefect_port))
        one.listen()
        two.listen()
        with pytest.raises(PortBusy, match="UNDERSTUDY_PREFECT_PORT, UNDERSTUDY_ROUTER_PORT"):
            refuse_busy_ports(settings)


def test_one_port_for_two_servers_is_refused(settings):
    with pytest.raises(PortBusy, match="wanted by UNDERSTUDY_ROUTER_PORT and UNDERSTUDY_ADMIN_PORT"):
        refuse_busy_ports(settings.model_copy(update={"admin_port": settings.router_port}))


def test_a_foreign_address_is_refused(settings):
    with pytest.raises(PortBusy, match="UNDERSTUDY_HOST"):
        refuse_busy_ports(settings.model_copy(update={"host": "203.0.113.7"}))


def test_a_foreign_prefect_server_needs_no_port_of_ours(settings, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example.org/api")
    with socket.socket() as held:
        held.bind(("127.0.0.1", settings.prefect_port))
        held.listen()

        refuse_busy_ports(settings)

    assert settings.prefect_port not in wanted_ports(settings).values()


def test_a_free_port_has_no_holder():
    assert holder(free_port()) is None
