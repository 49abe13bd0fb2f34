# SPDX-License-Identifier: MIT
"""myriad serve and connect with datagrams: every service, every engine, beside streams."""
import os
import re
import socket
import struct
import time

import pytest
from conftest import DEADLINE, engines, run

ENGINES = engines()


def udp(address, **more):
    host, port = address.removeprefix("udp:").rsplit(":", 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(DEADLINE)
    s.connect((host or "127.0.0.1", int(port)))
    return s


def ask(s, request):
    s.send(request)
    return s.recv(70000)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_service_answers_datagrams(serve, engine):
    for service, request, answer in [
            ("echo", b"hello\n", rb"hello\n"), ("echo", b"", rb""), ("reverse", "héllo".encode(), "olléh".encode()),
            ("daytime", b"", rb"[A-Z][a-z]+, [A-Z][a-z]+ \d\d, \d{4} \d\d:\d\d:\d\d-UTC\r\n"),
            ("time", b"", rb"(?s)...."), ("chargen", b"x" * 20, re.escape(bytes(range(32, 104)) + b"\r\n"))]:
        server = serve(service, "udp:0", "-e", engine)
        assert re.fullmatch(r"udp:127\.0\.0\.1:[1-9]\d*", server.address)
        with udp(server.address) as s:
            assert re.fullmatch(answer, ask(s, request))
        assert server.stop()[0] == 0


def test_time_by_udp_is_now(serve):
    with udp(serve("time", "udp:0").address) as s:
        seconds, = struct.unpack("!I", ask(s, b""))
    assert abs(seconds - 2208988800 - time.time()) < 60


@pytest.mark.parametrize("engine", ENGINES)
def test_discard_says_nothing_and_counts(serve, engine):
    server = serve("discard", "unixgram:@myriad-%d" % os.getpid(), "-e", engine, "-v")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(b"x" * 100, "\0myriad-%d" % os.getpid())
    server.err.until("threw away 100 bytes")
    assert server.stop() == (0, "stopped: 1 served, 0 refused, 0 cut, 100 bytes in, 0 bytes out")


@pytest.mark.parametrize("engine", ENGINES)
def test_streams_and_datagrams_side_by_side(serve, engine):
    server = serve("echo", "0", "udp::0", "-e", engine, listeners=2)
    tcp, datagrams = server.addresses
    assert server.ask(b"by stream", tcp) == b"by stream"
    with udp(datagrams) as s:
        assert ask(s, b"by datagram") == b"by datagram"
    assert server.stop()[0] == 0


def test_chargen_is_no_amplifier(serve):
    server = serve("chargen", "udp:0", "udp:0,amplify=20", listeners=2)
    with udp(server.addresses[0]) as small, udp(server.addresses[1]) as large:
        small.send(b"")
        lines = [ask(large, b"")] + [large.recv(100) for _ in range(4)]         # 5 * (74 + 28) <= 20 * 28
        small.setblocking(False)
        with pytest.raises(BlockingIOError):
            small.recv(100)
        large.setblocking(False)
        with pytest.raises(BlockingIOError):
            large.recv(100)
    assert {len(line) for line in lines} == {74}


def test_a_unix_path_goes_with_its_server(serve, tmp_path):
    path = str(tmp_path / "socket")
    server = serve("echo", f"unixgram:{path},mode=0600")
    assert server.address == f"unixgram:{path}"
    assert os.stat(path).st_mode & 0o777 == 0o600
    status, _, said = run("serve", "echo", f"unixgram:{path}")
    assert status == 1 and "address already in use" in said and f"held by pid {server.process.pid}" in said
    assert server.stop()[0] == 0
    assert not os.path.exists(path)


def test_a_port_in_use_names_its_holder(serve):
    server = serve("echo", "udp:0")
    status, _, said = run("serve", "echo", server.address)
    assert status == 1
    assert f"cannot listen on {server.address}: address already in use" in said
    assert f"held by pid {server.process.pid}" in said and "myriad serve echo udp:" in said


def test_the_simulation_has_no_datagrams():
    status, _, said = run("serve", "echo", "udp:0", "-e", "sim:1")
    assert status == 1 and "the simulated network has no datagrams" in said


@pytest.mark.parametrize("bad, why", [("udp:", "lacks a port"), ("udp:0,amplify=0", "out of range"),
                                      ("udp:0,from=here", "from=any"), ("udp:0,mode=0600", "does not apply")])
def test_a_bad_endpoint_is_a_usage_error(bad, why):
    status, _, said = run("serve", "echo", bad)
    assert status == 2 and why in said


def test_connect_by_udp(serve):
    server = serve("echo", "udp:0")
    assert run("connect", server.address, stdin=b"hello\n")[:2] == (0, "hello\n")
