# SPDX-License-Identifier: MIT
"""--stdin-exit: EXIT typed at the server drains it, whoever waits where."""
import fcntl
import os
import pty
import signal
import subprocess

import pytest
from conftest import engines, read_all, read_exactly, run

ENGINES = engines()
SEVERAL = [[], ["-w", "3"], ["-w", "3", "--processes"]]


def type_(server, text):
    server.process.stdin.write(text)
    server.process.stdin.flush()


@pytest.fixture
def typed(serve):
    def start(*args, **more):
        return serve("echo", 0, "--stdin-exit", *args, stdin=subprocess.PIPE, **more)
    return start


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("workers", SEVERAL, ids=["one", "threads", "processes"])
def test_exit_drains(typed, engine, workers):
    server = typed("-e", engine, *workers)
    type_(server, b"EXIT\n")
    assert server.wait() == 0
    assert server.err.all()[-1].startswith("stopped: 0 served")


@pytest.mark.parametrize("engine", ENGINES)
def test_exit_while_a_client_is_served(typed, engine):
    server = typed("-e", engine)
    with server.connect() as s:
        s.sendall(b"begun")
        assert read_exactly(s, 5) == b"begun"
        type_(server, b"EXIT\r\n")
        assert read_all(s) == b""               # nothing is buffered: it is drained at once
    assert server.wait() == 0
    assert server.err.all()[-1].startswith("stopped: 1 served, 0 refused, 0 cut")


@pytest.mark.parametrize("engine", ENGINES)
def test_other_lines_and_pieces_of_lines(typed, engine):
    server = typed("-e", engine)
    type_(server, b"exit\n")
    assert "EXIT ends the server" in server.err.until("EXIT")
    type_(server, b"\n" + b"EXIT" * 5000 + b"\nE")
    assert "EXIT ends the server" in server.err.until("EXIT")
    type_(server, b"XI")
    assert server.ask(b"still here") == b"still here"
    type_(server, b"T\n")
    assert server.wait() == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("workers", SEVERAL, ids=["one", "threads", "processes"])
def test_the_end_of_the_input_stops_nothing(typed, engine, workers):
    server = typed("-e", engine, *workers)
    type_(server, b"EXI")
    server.process.stdin.close()
    server.process.stdin = None
    assert server.ask(b"still here") == b"still here"
    before = cpu(server)
    for _ in range(50):
        assert server.ask(b"x") == b"x"
    assert cpu(server) - before < 100           # clock ticks: it does not spin
    assert server.stop()[0] == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("workers", SEVERAL, ids=["one", "threads", "processes"])
def test_the_last_line_may_lack_its_end(typed, engine, workers):
    server = typed("-e", engine, *workers)
    type_(server, b"EXIT")
    server.process.stdin.close()
    server.process.stdin = None
    assert server.wait() == 0


def cpu(server):
    fields = open(f"/proc/{server.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("engine", ENGINES)
def test_dev_null_is_the_end(serve, engine):
    server = serve("echo", 0, "--stdin-exit", "-e", engine)
    assert server.ask(b"still here") == b"still here"
    assert server.stop()[0] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file(serve, engine, tmp_path):
    path = tmp_path / "commands"
    path.write_bytes(b"x" * 100000 + b"\nEXIT\n")
    with open(path, "rb") as file:
        server = serve("echo", 0, "--stdin-exit", "-e", engine, stdin=file)
        assert server.wait() == 0
    with open(path, "wb") as file:
        file.write(b"no\n")
    with open(path, "rb") as file:
        server = serve("echo", 0, "--stdin-exit", "-e", engine, stdin=file)
        assert server.ask(b"still here") == b"still here"
        assert server.stop()[0] == 0


@pytest.mark.parametrize("engine", ["epoll", "fork"])
def test_the_worker_that_read_died(typed, engine):
    server = typed("-e", engine, "-w", "2", "--processes")
    assert server.ask(b"x") == b"x"             # all of them have started
    type_(server, b"who reads?\n")
    server.err.until("EXIT ends the server")
    for child in open(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read().split():
        os.kill(int(child), signal.SIGKILL)
    type_(server, b"EXIT\n")
    assert server.wait() == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_terminal_is_left_as_it_was(serve, engine):
    ours, theirs = pty.openpty()
    try:
        before = fcntl.fcntl(theirs, fcntl.F_GETFL)
        server = serve("echo", 0, "--stdin-exit", "-e", engine, stdin=theirs)
        assert server.ask(b"x") == b"x"
        assert fcntl.fcntl(theirs, fcntl.F_GETFL) == before
        os.write(ours, b"hello\n")
        server.err.until("EXIT ends the server")
        os.write(ours, b"EXIT\n")
        assert server.wait() == 0
        assert fcntl.fcntl(theirs, fcntl.F_GETFL) == before
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_simulation_has_no_standard_input():
    status, out, err = run("serve", "echo", "--stdin-exit", "-e", "sim:1")
    assert (status, out) == (2, "")
    assert "--stdin-exit: a simulation has no standard input" in err


def test_without_the_option_nothing_is_read(serve):
    server = serve("echo", 0, stdin=subprocess.PIPE)
    type_(server, b"EXIT\n")
    assert server.ask(b"still here") == b"still here"
    assert server.stop()[0] == 0
