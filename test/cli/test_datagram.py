# SPDX-License-Identifier: MIT
"""myriad serve and connect with datagrams: every service, every engine, beside streams."""
import array
import os
import re
import socket
import struct
import subprocess
import time

import pytest
from conftest import DEADLINE, ENVIRONMENT, MYRIAD, engines, needs_editing, run

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


def asker(path, server):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.settimeout(DEADLINE)
    s.bind(str(path))
    s.connect(server)
    return s


@pytest.mark.parametrize("engine", ENGINES)
def test_descriptors_that_a_sender_passes_are_not_taken(serve, engine, tmp_path):
    """They filled the server's table: whoever came next was refused."""
    path = str(tmp_path / "server")
    server = serve("echo", f"unixgram:{path}", "-e", engine)
    folder = f"/proc/{server.process.pid}/fd"
    with asker(tmp_path / "client", path) as s:
        ask(s, b"begin")
        before = len(os.listdir(folder))
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()] * 20))]
        for i in range(20):
            s.sendmsg([b"%d" % i], rights)
            assert s.recv(100) == b"%d" % i
        assert len(os.listdir(folder)) < before + 20        # of 400; what an engine's processes need comes and goes


def test_an_answer_does_not_go_to_another_socket_of_the_same_relative_name(serve, tmp_path, monkeypatch):
    path = str(tmp_path / "server")
    (tmp_path / "client").mkdir()
    serve("echo", f"unixgram:{path}", "-v", cwd=tmp_path)
    with asker(tmp_path / "private", path) as private:
        monkeypatch.chdir(tmp_path / "client")
        with asker("private", path) as s:
            s.send(b"SHUT DOWN")
        with asker(tmp_path / "sincere", path) as s:
            assert ask(s, b"after it") == b"after it"
        private.setblocking(False)
        with pytest.raises(BlockingIOError):
            private.recv(100)


def test_two_endpoints_of_a_server_do_not_answer_each_other(serve):
    """One datagram in the other's name was answered to and fro for ever."""
    server = serve("echo", "udp:0", "udp:0", "-v", listeners=2)
    one, two = (int(a.rsplit(":", 1)[1]) for a in server.addresses)
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    except PermissionError:
        pytest.skip("a sender's port can be made up by root only")
    with raw:
        raw.sendto(struct.pack("!HHHH", two, one, 8 + 4, 0) + b"echo", ("127.0.0.1", 0))
    server.err.until("comes from a server's port")
    with udp(server.addresses[1]) as s:
        assert ask(s, b"still there") == b"still there"
    assert server.stop()[1].startswith("stopped: 1 served, 1 refused")


# --- myriad connect: a line is a datagram -----------------------------------------------------------

def silent():
    """A socket that answers only what the test lets it answer, and its endpoint."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(DEADLINE)
    return s, f"udp:127.0.0.1:{s.getsockname()[1]}"


def client(*args):
    return subprocess.Popen([MYRIAD, "connect", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=ENVIRONMENT)


@pytest.mark.parametrize("endpoint", ["udp:0", "unixgram:@myriad-connect-%d" % os.getpid()], ids=["udp", "unixgram"])
def test_each_line_is_a_datagram_and_each_answer_a_line(serve, endpoint):
    """The last line lacks its end, one has nothing in it, one a zero, one ends as on other systems."""
    server = serve("reverse", endpoint)
    assert run("connect", server.address, stdin=b"abc\n\nd\0f\ngh\r\nxyz") == (0, "cba\n\nf\0d\nhg\nzyx\n", "")
    assert server.stop()[1].startswith("stopped: 5 served")


@pytest.mark.parametrize("more, sent", [([], [b"a", b"", b"b"]), (["--eol", "lf"], [b"a\n", b"\n", b"b\n"]),
                                        (["--eol", "crlf"], [b"a\r\n", b"\r\n", b"b\r\n"])], ids=["none", "lf", "crlf"])
def test_what_is_in_the_datagrams(more, sent):
    s, endpoint = silent()
    with s:
        c = client(endpoint, *more)
        c.stdin.write(b"a\n\nb")
        c.stdin.close()
        for expected in sent:
            got, sender = s.recvfrom(100)
            assert got == expected
            s.sendto(b"<" + got + b">", sender)
        said = c.stdout.read().splitlines()
        assert said == b"\n".join(b"<" + one + b">" for one in sent).splitlines()      # never glued
        assert (c.wait(DEADLINE), c.stderr.read()) == (0, b"")
        c.stdout.close()
        c.stderr.close()


def test_a_long_input_is_answered_whole(serve, tmp_path):
    """Far more than a socket holds: it goes no faster than the answers come."""
    path = tmp_path / "file"
    path.write_text("".join(f"{i}\n" for i in range(20000)))
    with open(path, "rb") as f:
        assert run("connect", serve("echo", "udp:0").address, stdin_file=f) == (0, path.read_text(), "")


def test_no_more_than_64_are_sent_ahead():
    s, endpoint = silent()
    with s:
        c = client(endpoint, "--timeout", f"{2 * DEADLINE}s")           # so that it does not give up and go on
        c.stdin.write(b"x\n" * 100)
        c.stdin.close()
        for _ in range(64):
            sender = s.recvfrom(10)[1]
        s.setblocking(False)
        with pytest.raises(BlockingIOError):
            s.recv(10)
        s.settimeout(DEADLINE)
        for _ in range(36):
            s.sendto(b"y", sender)
            assert s.recv(10) == b"x"
        for _ in range(64):
            s.sendto(b"y", sender)
        assert c.stdout.read() == b"y\n" * 100
        assert c.wait(DEADLINE) == 0
        c.stdout.close()
        c.stderr.close()


def test_nobody_answers(tmp_path):
    """All is sent nevertheless; then it waits for a second and says so."""
    (tmp_path / "file").write_bytes(b"x\n")       # there from the start, whatever the clock says
    s, endpoint = silent()
    with s:
        status, out, said = run("connect", endpoint, stdin=b"x\n" * 100)
        assert (status, out) == (1, "")
        assert said == f"myriad connect: {endpoint} has not answered 100 of 100 datagrams; waited 1s for more\n"
        assert [s.recv(10) for _ in range(100)] == [b"x"] * 100
        with open(tmp_path / "file", "rb") as f:
            status, out, said = run("connect", endpoint, "--timeout", "50ms", stdin_file=f)
        assert (status, out, said) == (1, "", f"myriad connect: {endpoint} has not answered within 50ms\n")


def test_an_answer_is_missing():
    s, endpoint = silent()
    with s:
        c = client(endpoint)
        c.stdin.write(b"a\nb\n")
        c.stdin.flush()
        assert s.recv(10) == b"a"
        got, sender = s.recvfrom(10)
        s.sendto(got, sender)
        assert c.stdout.readline() == b"b\n"
        out, said = c.communicate(timeout=DEADLINE)
        assert (c.returncode, out) == (4, b"")
        assert b"has not answered 1 of 2 datagrams" in said


def test_a_late_answer_is_waited_for():
    """The input is over; the last answer ends it, and not the clock."""
    s, endpoint = silent()
    with s:
        c = client(endpoint, "--timeout", f"{20 * DEADLINE}s")
        c.stdin.write(b"a\nb\n")
        c.stdin.close()
        s.recv(10)
        sender = s.recvfrom(10)[1]
        s.sendto(b"first", sender)
        assert c.stdout.readline() == b"first\n"
        s.sendto(b"second\n", sender)
        assert c.stdout.readline() == b"second\n"
        assert c.wait(DEADLINE) == 0
        c.stdout.close()
        c.stderr.close()


@pytest.mark.parametrize("line, said", [
    (b"x" * 65508, "line 2 of the input is too long for a datagram: 65508 bytes"),
    (b"x" * 65536, "a line of standard input is longer than 65535 bytes")], ids=["datagram", "line"])
def test_a_line_that_is_too_long(serve, line, said):
    status, out, err = run("connect", serve("echo", "udp:0").address, stdin=b"before\n" + line + b"\nafter\n")
    assert (status, out, err) == (1, "before\n", f"myriad connect: {said}\n")


def test_the_longest_line(serve):
    longest = b"x" * 65507 + b"\n"
    assert run("connect", serve("echo", "udp:0").address, stdin=longest) == (0, longest.decode(), "")


def test_a_port_that_nobody_has():
    s, endpoint = silent()
    s.close()
    assert run("connect", endpoint, stdin=b"x\n") == (
        1, "", f"myriad connect: cannot connect to {endpoint}: connection refused\n"
               f"  try: a server there: myriad serve echo {endpoint.replace('127.0.0.1:', '')}\n")


def test_nothing_to_send():
    s, endpoint = silent()
    with s:
        assert run("connect", endpoint) == (0, "", "")


def test_per_message_is_for_streams():
    status, _, said = run("connect", "udp:9", "--per-message")
    assert status == 2 and "--per-message has no meaning with datagrams" in said


@pytest.mark.parametrize("term", ["dumb", pytest.param("xterm", marks=needs_editing)])
def test_datagrams_at_a_terminal(terminal, term):
    s, endpoint = silent()
    with s:
        t = terminal("connect", endpoint, term=term)
        t.until(f"connected to {endpoint}; Ctrl-D ends\r\n")
        t.type(b"hello\r")
        got, sender = s.recvfrom(100)
        assert got == b"hello"
        for answer in b"\x1b[2Jone\xc3", b"\xa9two\n", b"three":       # a letter is not put together from two
            s.sendto(answer, sender)
        t.until("\\x1b[2Jone\\xc3\r\n")
        t.until("\\xa9two\r\n")
        t.until("three\r\n")
        t.type(b"\x04")
        assert t.process.wait(DEADLINE) == 0
        assert t.as_before()
