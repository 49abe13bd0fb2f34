# SPDX-License-Identifier: MIT
"""myriad connect: in pipes, with files, and at a terminal."""
import fcntl
import os
import pty
import select
import signal
import socket
import subprocess
import termios
import threading
import time

import pytest
from conftest import DEADLINE, ENVIRONMENT, MYRIAD, engines, read_all, run


def port_of(server):
    return server.address.rsplit(":", 1)[1]


@pytest.mark.parametrize("engine", engines())
def test_a_pipe_there_and_back(serve, engine):
    server = serve("echo", 0, "-e", engine)
    sent = os.urandom(3 << 20)
    done = subprocess.run([MYRIAD, "connect", port_of(server)], input=sent, capture_output=True, timeout=DEADLINE)
    assert done.stdout == sent                  # raw: nothing is escaped in a pipe
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_file_as_input(serve, tmp_path):
    server = serve("echo", 0)
    path = tmp_path / "file"
    path.write_bytes(b"line\n" * 300000)
    with open(path, "rb") as f:
        status, out, err = run("connect", port_of(server), stdin_file=f)
    assert (status, out, err) == (0, "line\n" * 300000, "")


def test_no_input(serve):
    assert run("connect", port_of(serve("daytime", 0)), stdin_file=subprocess.DEVNULL)[0] == 0
    assert run("connect", port_of(serve("echo", 0)), stdin_file=subprocess.DEVNULL)[:2] == (0, "")


def test_closed_standard_descriptors(serve):
    server = serve("echo", 0)
    command = f"exec {MYRIAD} connect {port_of(server)} 0<&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=DEADLINE).returncode == 0


def test_unix_endpoint(serve, tmp_path):
    server = serve("reverse", f"unix:{tmp_path}/s")
    assert run("connect", server.address, stdin=b"abc\n")[:2] == (0, "cba\n")


@pytest.mark.parametrize("eol, sent", [("lf", b"a\nb\r\nc"), ("crlf", b"a\r\nb\r\nc"), ("none", b"ab\rc")])
def test_line_ends(serve, eol, sent):
    done = subprocess.run([MYRIAD, "connect", port_of(serve("echo", 0)), "--eol", eol], input=b"a\nb\r\nc",
                          capture_output=True, timeout=DEADLINE)
    assert done.stdout == sent


def test_connection_refused():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))                # bound, and nobody listens
        port = s.getsockname()[1]
        assert run("connect", port) == (
            1, "", f"myriad connect: cannot connect to tcp:127.0.0.1:{port}: connection refused\n"
                   f"  try: a server there: myriad serve echo {port}\n")


def test_lost_connection():
    with socket.create_server(("127.0.0.1", 0)) as s:
        client = subprocess.Popen([MYRIAD, "connect", str(s.getsockname()[1])], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        peer, _ = s.accept()
        peer.sendall(b"x")
        assert client.stdout.read(1) == b"x"
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()                            # a reset
        said = client.communicate(timeout=DEADLINE)[1].decode()
        assert client.returncode == 1
        assert f"connection to tcp:127.0.0.1:{s.getsockname()[1]} lost: connection reset by peer" in said


def test_timeout():
    with socket.create_server(("127.0.0.1", 0)) as s:       # takes the connection and says nothing
        status, out, err = run("connect", s.getsockname()[1], "--timeout", "50ms")
        assert (status, out) == (1, "")
        assert "timed out" in err


def test_the_end_of_the_server_is_the_end(serve):
    """Standard input stays open: the peer's end is enough."""
    server = serve("time", 0)
    client = subprocess.Popen([MYRIAD, "connect", port_of(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert len(client.stdout.read()) == 4
    assert client.wait(DEADLINE) == 0
    client.stdin.close()


def test_a_reader_that_has_enough(serve):
    """... | head: nothing is wrong."""
    server = serve("chargen", 0)
    client = subprocess.Popen([MYRIAD, "connect", port_of(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    assert len(client.stdout.read(1000)) == 1000
    client.stdout.close()
    assert client.wait(DEADLINE) == 0
    assert client.stderr.read() == b""
    client.stdin.close()


def test_input_waits_for_a_slow_peer():
    """What the peer does not take stays in the pipe, not in our memory."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        client = subprocess.Popen([MYRIAD, "connect", str(s.getsockname()[1])], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL)
        peer, _ = s.accept()
        total, stuck = [0], threading.Event()
        block = b"x" * 65536
        os.set_blocking(client.stdin.fileno(), False)
        while select.select([], [client.stdin], [], 1)[1]:      # a second without room: it has stopped taking
            try:
                total[0] += os.write(client.stdin.fileno(), block)
            except BlockingIOError:
                pass
            assert total[0] < 64 << 20, "it takes everything"
        client.stdin.close()
        peer.settimeout(DEADLINE)
        assert len(read_all(peer)) == total[0]
        peer.close()
        assert client.wait(DEADLINE) == 0


# --- At a terminal --------------------------------------------------------------------------------

class Terminal:
    def __init__(self, *args, **more):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([MYRIAD, *map(str, args)], stdin=slave, stdout=slave, stderr=slave,
                                        env=ENVIRONMENT, start_new_session=True, **more)
        os.close(slave)
        self.text = ""

    def until(self, part):
        end = time.monotonic() + DEADLINE
        while part not in self.text:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.master], [], [], left)[0], f"no {part!r} in {self.text!r}"
            try:
                more = os.read(self.master, 4096)
            except OSError:                     # the other end is closed
                more = b""
            assert more, f"ended without {part!r}: {self.text!r}"
            self.text += more.decode(errors="replace")

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal():
    open_ = []

    def start(*args, **more):
        open_.append(Terminal(*args, **more))
        return open_[-1]
    yield start
    for t in open_:
        t.end()


def test_a_session(serve, terminal):
    server = serve("reverse", 0)
    t = terminal("connect", port_of(server))
    t.until(f"connected to {server.address}; Ctrl-D ends\r\n")
    t.type(b"hello\n")
    t.until("olleh\r\n")
    t.type(b"\x04")
    assert t.process.wait(DEADLINE) == 0


def test_a_hostile_server_cannot_move_the_cursor(terminal):
    with socket.create_server(("127.0.0.1", 0)) as s:
        t = terminal("connect", s.getsockname()[1])
        peer, _ = s.accept()
        peer.sendall(b"\x1b[2Jcleared\x9b\x07\xc2\x9b \xe2\x80\xae\r\nh\xc3")
        peer.sendall(b"\xa9llo\n")
        peer.close()
        t.until("llo\r\n")
        shown = t.text.split("Ctrl-D ends\r\n")[1]
        assert shown.startswith("\\x1b[2Jcleared\\x9b\\x07\\u{9b} \\u{202e}\r\nhéllo\r\n")
        t.until("has ended the connection")
        assert t.process.wait(DEADLINE) == 0


def test_the_banner(terminal):
    t = terminal("serve", "echo", "0", ":0", "-e", "epoll")
    t.until("ready tcp::")
    t.until("\n")
    assert "echo: what comes in goes out" in t.text
    assert "this machine only" in t.text
    assert "OPEN on all addresses" in t.text
    assert "engine  epoll" in t.text
    assert "Ctrl-C" in t.text
    os.kill(t.process.pid, signal.SIGINT)
    t.until("stopped: 0 served")
    assert t.process.wait(DEADLINE) == 0


def test_the_banner_names_the_engine_that_was_taken(terminal):
    t = terminal("serve", "echo", "0")
    t.until("ready tcp:")
    assert f"engine  {engines()[0]}\r\n" in t.text or "engine  epoll; not io_uring: " in t.text


def test_a_terminal_that_goes_away_stops_the_server(terminal):
    t = terminal("serve", "echo", "0", preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    t.until("ready tcp:")
    os.close(t.master)                          # the hang-up
    t.master = os.open(os.devnull, os.O_RDONLY)
    assert t.process.wait(DEADLINE) == 0
