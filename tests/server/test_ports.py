"""Ports to listen on: what their connections inherit, and how it is said that one cannot be had."""

from __future__ import annotations

import resource
import socket

import pytest

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.server import ports


def test_accepted_connections_have_the_options_of_their_listener():
    with ports.bind("127.0.0.1", 0) as listener:
        ports.listen(listener)
        with socket.create_connection(listener.getsockname()):
            listener.settimeout(10)
            connection, _ = listener.accept()
            with connection:
                found = {
                    name: connection.getsockopt(*option)
                    for name, option in {
                        "unacknowledged": (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
                        "probed": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                        "at once": (socket.IPPROTO_TCP, socket.TCP_NODELAY),
                    }.items()
                }
    assert found == {"unacknowledged": 15_000, "probed": 1, "at once": 1}


def test_a_taken_port_is_refused_by_the_name_of_its_setting():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"^SERVER_PORT: port {port} on 127.0.0.1 is taken"):
            ports.bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "..", "a..b", "x" * 64])
def test_a_host_that_is_not_this_machine_is_refused(host):
    with pytest.raises(ConfigError, match=f"^SERVER_HOST: {host} is no address of this machine"):
        ports.bind(host, 0)


def test_a_port_for_which_no_descriptor_is_left_is_refused_by_the_name_of_its_setting():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_server(("127.0.0.1", 0)) as first:  # the lowest number that is free
        resource.setrlimit(resource.RLIMIT_NOFILE, (first.fileno(), limits[1]))
        try:
            with pytest.raises(ConfigError, match=r"^SERVER_PORT: cannot listen on 127.0.0.1 port 0: Too many open"):
                ports.bind("127.0.0.1", 0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_of_two_processes_that_bound_one_port_the_slower_is_told_that_it_is_taken():
    faster = ports.bind("127.0.0.1", 0)
    port = faster.getsockname()[1]
    slower = ports.bind("127.0.0.1", port)
    with faster, slower:
        ports.listen(faster)
        with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 is taken"):
            ports.listen(slower)
