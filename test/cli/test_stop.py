# SPDX-License-Identifier: MIT
"""How a server ends: what was begun is finished, the rest is told, and a second signal cuts."""
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import threading

import pytest
from conftest import DEADLINE, engines, read_all, read_exactly

ENGINES = engines()


def line_begun(server, bytes_=b"abc"):
    """A client whose line has begun, and is known to have reached the server's handler."""
    s = server.connect()
    s.sendall(b"ok\n")
    assert read_exactly(s, 3) == b"ko\n"
    s.sendall(bytes_)
    return s


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_stop(serve, number):
    server = serve("echo", 0)
    assert server.ask(b"x") == b"x"
    assert server.stop(number) == (0, "stopped: 1 served, 0 refused, 0 cut, 1 byte in, 1 byte out")


def idle_client(server):
    """Between two lines: its end tells that the drain has begun."""
    s = server.connect()
    s.sendall(b"ok\n")
    assert read_exactly(s, 3) == b"ko\n"
    return s


@pytest.mark.parametrize("engine", [e for e in ENGINES if e != "iterative"])
def test_drain(serve, engine):
    server = serve("reverse", 0, "-e", engine)
    with line_begun(server) as begun, idle_client(server) as idle:
        server.send()
        assert idle.recv(1) == b""              # an idle one is closed
        begun.sendall(b"def\n")                 # and this one is served to the end
        assert read_all(begun) == b"fedcba\n"
    assert server.wait() == 0
    last = server.err.all()[-1]
    assert re.match(r"stopped: 2 served, \d+ refused, 0 cut", last), last


def slow_client(server):
    """It takes little at a time, so most of what it asks for waits on the other side."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(DEADLINE)
    host, port = server.address.removeprefix("tcp:").rsplit(":", 1)
    s.connect((host, int(port)))
    return s


@pytest.mark.parametrize("how", ["SIGTERM", "EXIT"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_reply_under_way_is_finished(serve, engine, how):
    """All of what was announced comes back, though most of it had not even arrived when the drain began."""
    server = serve("count", 0, "-e", engine, "--stdin-exit", stdin=subprocess.PIPE)
    payload = random.Random(1).randbytes(4 << 20)
    with slow_client(server) as slow, contextlib.ExitStack() as more:
        asks = threading.Thread(target=slow.sendall, args=[b"%d " % len(payload) + payload], daemon=True)
        asks.start()
        got = read_exactly(slow, 1)
        # Under "iterative" another one would not be served yet.
        idle = more.enter_context(server.connect()) if engine != "iterative" else None
        if how == "SIGTERM":
            server.send()
        else:
            server.process.stdin.write(b"EXIT\n")
            server.process.stdin.flush()
        if idle:                                # its end, or its refusal if it was not in yet: so it drains
            with contextlib.suppress(ConnectionError):
                assert idle.recv(1) == b""
        while part := slow.recv(4096):
            got += part
        asks.join(DEADLINE)
    assert len(got) == len(payload) and got == payload
    assert server.wait() == 0
    assert re.match(r"stopped: \d served, \d refused, 0 cut, ", server.err.all()[-1])


def test_newcomers_are_not_served_during_the_drain(serve):
    server = serve("reverse", 0)
    with line_begun(server) as begun, idle_client(server) as idle:
        server.send()
        assert idle.recv(1) == b""
        idle.close()
        with contextlib.suppress(ConnectionError), server.connect() as late:
            late.sendall(b"abc\n")
            begun.sendall(b"\n")
            assert read_all(begun) == b"cba\n"
            assert read_all(late) == b""
    assert server.wait() == 0


def test_newcomers_are_told_at_once_during_the_drain(serve):
    server = serve("reverse", 0)
    with line_begun(server), idle_client(server) as idle:
        server.send()
        assert idle.recv(1) == b""
        with contextlib.suppress(ConnectionError), server.connect() as late:
            late.settimeout(1)
            assert late.recv(1) == b""


def test_drain_timeout_cuts(serve):
    server = serve("reverse", 0, "--drain-timeout", "20ms")
    with line_begun(server) as s:
        status, last = server.stop()
        assert status == 0
        assert ", 1 cut, " in last
        with contextlib.suppress(ConnectionError):
            assert s.recv(1) == b""


@pytest.mark.parametrize("first, second", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT),
                                           (signal.SIGQUIT, None)], ids=["TERM", "INT", "QUIT"])
def test_second_signal_cuts(serve, first, second):
    server = serve("reverse", 0, "--drain-timeout", "5m")
    with line_begun(server), idle_client(server) as idle:
        server.send(first)
        if second:
            assert idle.recv(1) == b""
            server.send(second)
        assert server.wait() == 0
        # the idle one is closing, and may have to be cut as well
        assert re.search(", [12] cut, ", server.err.all()[-1])


@pytest.mark.parametrize("args", [["-e", "fork"], ["-w", "2", "--processes"], ["-e", "thread"]], ids=" ".join)
def test_ctrl_c_counts_once_for_the_whole_group(serve, args):
    """A terminal sends SIGINT to every process of the foreground group."""
    server = serve("reverse", 0, *args, start_new_session=True)
    with line_begun(server) as s, idle_client(server) as idle:
        os.killpg(server.process.pid, signal.SIGINT)
        assert idle.recv(1) == b""
        s.sendall(b"def\n")
        assert read_all(s) == b"fedcba\n"
    assert server.wait() == 0
    assert ", 0 cut, " in server.err.all()[-1]


def test_nothing_is_left_behind(serve):
    """Processes that outlive the server keep its stdout open: the end of the pipe is the end of all."""
    server = serve("echo", 0, "-w", 2, "--processes")
    assert server.stop()[0] == 0
    assert server.out.all() == ["ready " + server.address]


@pytest.mark.parametrize("args", [["-e", "fork"], ["-w", "2", "--processes"]], ids=" ".join)
def test_no_orphans_after_a_kill(serve, args):
    server = serve("echo", 0, *args)
    with server.connect() as s:
        s.sendall(b"x")
        assert read_exactly(s, 1) == b"x"
        server.process.kill()
        server.wait()
        s.settimeout(DEADLINE)
        try:
            s.shutdown(socket.SHUT_WR)
            read_all(s)
        except OSError:
            pass
    assert server.out.all() == ["ready " + server.address]
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_ignored_hangup_stays_ignored(serve):
    server = serve("echo", 0, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    server.send(signal.SIGHUP)
    assert server.ask(b"x") == b"x"
    assert server.stop()[0] == 0


def test_closed_stderr_does_not_end_it(serve):
    server = serve("discard", 0, "-v")
    server.process.stderr.close()
    server.ask(b"x")
    server.ask(b"x")
    server.send()
    assert server.wait() == 0
    server.process.stderr = open(os.devnull)
