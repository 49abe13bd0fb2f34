# SPDX-License-Identifier: MIT
"""Running the command under test: servers that tell when they are ready, and everything has a deadline."""
import contextlib
import ctypes
import errno
import os
import pathlib
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
MYRIAD = os.environ.get("MYRIAD", str(TOP / "build" / "myriad"))
DEADLINE = 20           # for what takes milliseconds: only a hang or a crowded machine reaches it

# What the machine's user has set is not to decide what is tested.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("MYRIAD")}


def run(*args, stdin=b"", env=None, preexec_fn=None, wrap=(), **more):
    """The command to its end: (status, stdout, stderr) as text."""
    feed = {} if "stdin_file" in more else {"input": stdin}
    if "stdin_file" in more:
        feed["stdin"] = more.pop("stdin_file")
    done = subprocess.run([*wrap, MYRIAD, *map(str, args)], capture_output=True, timeout=DEADLINE,
                          env={**ENVIRONMENT, **(env or {})}, preexec_fn=preexec_fn, **feed, **more)
    return done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="replace")


class Lines:
    """Lines from a pipe, awaited with a deadline."""

    def __init__(self, fd):
        self.fd, self.rest, self.seen = fd, b"", []

    def next(self):
        end = time.monotonic() + DEADLINE
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.fd], [], [], left)[0]
            more = os.read(self.fd, 65536) if ready else None
            assert more is not None, f"no line within {DEADLINE} s; before it: {self.seen}"
            if not more:
                return None
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        self.seen.append(line.decode(errors="replace"))
        return self.seen[-1]

    def until(self, part):
        while True:
            line = self.next()
            assert line is not None, f"ended without {part!r}: {self.seen}"
            if part in line:
                return line

    def all(self):
        while self.next() is not None:
            pass
        return self.seen


def connect(address):
    """As `ready` lines have it."""
    if address.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(DEADLINE)
        s.connect(address.removeprefix("unix:"))
        return s
    host, port = address.removeprefix("tcp:").rsplit(":", 1)
    return socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout=DEADLINE)


class Server:
    """A tutorial's edition (exact) keeps its standard output to itself: it is ready on stderr."""

    def __init__(self, *args, listeners=1, env=None, exact=False, stdin=subprocess.DEVNULL,
                 stdout=subprocess.PIPE, **more):
        self.process = subprocess.Popen([MYRIAD, "serve", *map(str, args)], stdin=stdin,
                                        stdout=stdout, stderr=subprocess.PIPE,
                                        env={**ENVIRONMENT, **(env or {})}, **more)
        self.out = Lines(self.process.stdout.fileno()) if self.process.stdout else None
        self.err = Lines(self.process.stderr.fileno())
        self.addresses = []
        for _ in range(listeners):
            line = self.err.until("ready ") if exact else self.out.next()
            if line is None:
                pytest.fail("the server did not start: " + " / ".join(self.err.all()))
            assert line.startswith("ready "), line
            self.addresses.append(line.removeprefix("ready "))
        self.address = self.addresses[0]

    def connect(self, address=None):
        return connect(address or self.address)

    def ask(self, request, address=None):
        """Send, end our half, read to the end."""
        with self.connect(address) as s:
            s.sendall(request)
            s.shutdown(socket.SHUT_WR)
            return read_all(s)

    def send(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(DEADLINE)

    def stop(self, number=signal.SIGTERM):
        """Stop it; returns the exit status and the last line of stderr."""
        self.send(number)
        status = self.wait()
        return status, self.err.all()[-1]

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in self.process.stdin, self.process.stdout, self.process.stderr:
            if pipe:
                pipe.close()


class Terminal:
    """The command at a terminal; term "dumb": lines come as the terminal gives them, without an editor."""

    def __init__(self, *args, term="dumb", **more):
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen([MYRIAD, *map(str, args)], stdin=slave, stdout=slave, stderr=slave,
                                        env={**ENVIRONMENT, "TERM": term, "LC_ALL": "C.UTF-8"}, start_new_session=True, **more)
        os.close(slave)
        self.text = ""

    def until(self, part, forget=False):
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
        head, self.text = self.text.split(part, 1) if forget else (self.text, self.text)
        return head

    def as_before(self):
        """The terminal is as the command found it."""
        return termios.tcgetattr(self.master) == self.before

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


def builds_with(name):
    """Is this library part of the program?"""
    return name in subprocess.run(["ldd", MYRIAD], capture_output=True, text=True).stdout


needs_editing = pytest.mark.skipif(not builds_with("libedit"), reason="built without libedit")
needs_json = pytest.mark.skipif(not builds_with("libjansson"), reason="built without jansson")


@contextlib.contextmanager
def peer(serve_one, clients=1, backlog=128, at_once=False):
    """The other side, in threads of the test: serve_one(connection) for so many clients.  Gives the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as s:
        s.settimeout(DEADLINE)

        def one(c):
            c.settimeout(DEADLINE)
            with c, contextlib.suppress(ConnectionError):
                serve_one(c)

        def loop():
            threads = []
            for _ in range(clients):
                c, _ = s.accept()
                if at_once:
                    threads.append(threading.Thread(target=one, args=[c], daemon=True))
                    threads[-1].start()
                else:
                    one(c)
            for thread in threads:
                thread.join(DEADLINE)
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield s.getsockname()[1]
        thread.join(4 * DEADLINE)
        assert not thread.is_alive()


def without_call(number, error):
    """As preexec_fn: a kernel that answers this system call with an error."""
    load, equal, give = 0x20, 0x15, 0x06
    allow, refuse = 0x7fff0000, 0x00050000 | error
    program = b"".join(struct.pack("=HBBI", *step) for step in [
        (load, 0, 0, 0), (equal, 0, 1, number), (give, 0, 0, refuse), (give, 0, 0, allow)])
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = struct.pack("@HP", 4, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, filter_, 0, 0) != 0:
        os._exit(99)


def without_io_uring():
    """io_uring_setup gives EPERM, as in most containers."""
    without_call(425, errno.EPERM)


def without_openat2():
    """As before Linux 5.6."""
    without_call(437, errno.ENOSYS)


def read_all(s):
    parts = []
    while part := s.recv(65536):
        parts.append(part)
    return b"".join(parts)


def read_exactly(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        assert part, f"ended after {got!r}"
        got += part
    return got


def engines():
    """The engines that say that they work here; sim has no sockets."""
    try:
        table = run("engines")[1].splitlines()[1:]
    except OSError:
        return ["epoll"]
    return [row.split()[0] for row in table if row.rstrip().endswith(" yes") and row.split()[0] != "sim"]


@pytest.fixture
def serve():
    """serve("echo", 0, ...) returns a Server that is ready; it is ended with the test."""
    servers = []

    def start(*args, **more):
        servers.append(Server(*args, **more))
        return servers[-1]
    yield start
    for server in servers:
        server.end()


@pytest.fixture
def terminal():
    open_ = []

    def start(*args, **more):
        open_.append(Terminal(*args, **more))
        return open_[-1]
    yield start
    for t in open_:
        t.end()
