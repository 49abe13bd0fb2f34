# SPDX-License-Identifier: MIT
"""Runs the tutorials' programs and ours side by side and compares what they print.

Nothing here sleeps: a server is ready when it says so, a line is there when it has been read.  Ports, times and
object ids are replaced by <port1>, <ctime>, <id1> ... in the order in which they appear.
"""
import ast
import contextlib
import importlib.util
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
_spec = importlib.util.spec_from_file_location("command", TOP / "test" / "cli" / "conftest.py")
command = importlib.util.module_from_spec(_spec)       # not by its name: two conftest modules would be one too many
_spec.loader.exec_module(command)
MYRIAD, DEADLINE, ENVIRONMENT = command.MYRIAD, 2 * command.DEADLINE, command.ENVIRONMENT
read_all, read_exactly = command.read_all, command.read_exactly

ENGINES = command.engines()
TOGETHER = [e for e in ENGINES if e != "iterative"]     # serve several clients at once
EVENT = [e for e in ENGINES if e in ("select", "poll", "epoll", "io_uring")]


class Stream:
    """What a program writes, collected as it comes, so that no pipe fills up; awaited with a deadline."""

    def __init__(self, pipe):
        self.data, self.at, self.ended = b"", 0, False
        self.changed = threading.Condition()
        self.pipe = pipe
        self.reader = threading.Thread(target=self.drain, daemon=True)
        self.reader.start()

    def drain(self):
        while part := os.read(self.pipe.fileno(), 65536):
            with self.changed:
                self.data += part
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def await_(self, found, what):
        with self.changed:
            self.changed.wait_for(lambda: found() or self.ended, DEADLINE)
            assert found(), f"{'ended' if self.ended else 'waited'} without {what!r}: {self.data[-3000:]!r}"

    def until(self, part):
        """Everything up to and with `part`, from where the last until() stopped."""
        part = part.encode() if isinstance(part, str) else part
        self.await_(lambda: self.data.find(part, self.at) >= 0, part)
        start, self.at = self.at, self.data.find(part, self.at) + len(part)
        return self.data[start:self.at]

    def count(self, part, n):
        """Wait until `part` has been written n times in all."""
        part = part.encode()
        self.await_(lambda: self.data.count(part) >= n, f"{n} times {part!r}")

    def text(self):
        return self.data.decode(errors="surrogateescape")

    def lines(self):
        return self.text().splitlines()

    def end(self):
        """All of it, when the program has closed it."""
        self.reader.join(DEADLINE)
        assert self.ended, f"still open: {self.data[-3000:]!r}"
        return self.text()


class Program:
    def __init__(self, argv, env=None, stdin=subprocess.PIPE):
        self.process = subprocess.Popen(list(map(str, argv)), stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**ENVIRONMENT, "LC_ALL": "C.UTF-8",
                                                                     "PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
        self.out, self.err = Stream(self.process.stdout), Stream(self.process.stderr)

    def type(self, text):
        self.process.stdin.write(text if isinstance(text, bytes) else text.encode())
        self.process.stdin.flush()

    def wait(self):
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        status = self.process.wait(DEADLINE)
        self.out.end(), self.err.end()
        return status

    def interrupt(self):
        """Ctrl-C; returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.out, self.err):
            stream.reader.join(DEADLINE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe and pipe.close()

    def alive(self):
        return self.process.poll() is None


class Server(Program):
    """A program that says `ready tcp:HOST:PORT` for each of its listeners, ours on stdout or, when exact, on stderr."""

    def __init__(self, argv, ready="err", listeners=1, **more):
        super().__init__(argv, **more)
        told = self.err if ready == "err" else self.out
        self.ports = []
        for _ in range(listeners):
            told.until("ready tcp:")
            self.ports.append(int(told.until("\n").decode().strip().rsplit(":", 1)[1]))
        self.port = self.ports[0]

    def connect(self, listener=0):
        return socket.create_connection(("127.0.0.1", self.ports[listener]), timeout=DEADLINE)

    def ask(self, request, listener=0):
        """Send, end our half, read to the end."""
        with self.connect(listener) as s:
            s.sendall(request)
            s.shutdown(socket.SHUT_WR)
            return read_all(s)

    def ticks(self):
        """Processor time used so far by it and by its children, in clock ticks."""
        total = 0
        for pid in [self.process.pid, *children(self.process.pid)]:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total

    def resident(self):
        """Memory in bytes, of the process and its children, the greatest of them."""
        most = 0
        for pid in [self.process.pid, *children(self.process.pid)]:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):        # a child that has just gone
                most = max(most, int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]))
        return most * os.sysconf("SC_PAGE_SIZE")


def children(pid):
    with contextlib.suppress(FileNotFoundError):
        return [int(c) for t in pathlib.Path(f"/proc/{pid}/task").iterdir()
                for c in (t / "children").read_text().split()]
    return []


class Stage:
    """Starts programs and ends them with the test."""

    def __init__(self):
        self.programs = []

    def keep(self, program):
        self.programs.append(program)
        return program

    @staticmethod
    def python(name, args):
        return [sys.executable, "-u", HERE / "programs" / (name + ".py"), *args]

    def tutorial(self, name, *args, port, env=None, **more):
        """A client of the tutorials."""
        return self.keep(Program(self.python(name, args), env={"TUTORIAL_PORT": str(port), **(env or {})}, **more))

    def tutorial_server(self, name, *args, listeners=1, env=None):
        env = {"TUTORIAL_PORT": "0", "TUTORIAL_HOST": "127.0.0.1", **(env or {})}
        return self.keep(Server(self.python(name, args), env=env, listeners=listeners))

    def exact(self, service, id_, *args, engine=None, listeners=1, **more):
        """Our exact edition on free ports."""
        return self.keep(Server([MYRIAD, "serve", service, *["tcp:127.0.0.1:0"] * listeners,
                                 *(["-e", engine] if engine else []), f"--seed-exact={id_}", *args],
                                listeners=listeners, **more))

    def serve(self, service, *args, engine=None, **more):
        """Our hardened edition on a free port."""
        return self.keep(Server([MYRIAD, "serve", service, "0", *(["-e", engine] if engine else []), *args],
                                ready="out", **more))

    def command(self, *args, **more):
        return self.keep(Program([MYRIAD, *args], **more))


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    for program in reversed(stage.programs):
        program.kill()


# --- What was printed, made comparable -----------------------------------------------------------

CTIME = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) " \
        r"[ \d]\d \d\d:\d\d:\d\d \d{4}"


def plain(text):
    """Ports, object ids and times replaced by names."""
    text = re.sub(CTIME, "<ctime>", text)
    before = {"port": r"\('127\.0\.0\.1', |\('localhost', |desde 127\.0\.0\.1:",
              "id": r"\('127\.0\.0\.1', <port\d>\) | em "}
    for name, marks in before.items():
        marks = "|".join(f"(?<={mark})" for mark in marks.split("|"))
        seen = {}
        text = re.sub(f"(?:{marks})(\\d+)", lambda m: f"<{name}{seen.setdefault(m[1], len(seen) + 1)}>", text)
    return text


BYTES = re.compile(r"^(Echoing|Received) (b(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")) (to|from connection) (.*)$")


def by_connection(lines, names):
    """{name: its lines}, where what was echoed or received in pieces is put together again.

    How many pieces there are, and how the connections take turns, is up to the network: neither is part of a
    transcript.  `names` finds the connection in a line; lines without one come under None.
    """
    told = {}
    for line in lines:
        who = re.search(names, line)
        own = told.setdefault(who and who.groups(), [])
        now, before = BYTES.match(line), BYTES.match(own[-1]) if own else None
        if now and before and now[1] == before[1]:
            own[-1] = f"{now[1]} {ast.literal_eval(before[2]) + ast.literal_eval(now[2])!r} {now[3]} {now[4]}"
        else:
            own.append(line)
    return told


def golden(name):
    return (HERE / "golden" / (name + ".txt")).read_text()


def answered(text):
    """The replies in the twenty clients' output, {id: bytes}.

    Several threads print at once there: a line's end may come after the next line, as the tutorial shows it.
    """
    found = re.findall(r"Cliente (\d+) recebeu: (b(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))", text)
    assert len({i for i, _ in found}) == len(found), f"a client is answered twice: {text}"
    return {int(i): ast.literal_eval(data) for i, data in found}


def send_in_pieces(s, pieces):
    """Each piece in a segment of its own; the peer may still read several at once."""
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        s.sendall(piece)


def taken(s):
    """Wait until the peer's kernel has acknowledged all that was sent, then give the peer the processor."""
    import fcntl
    import struct
    end = time.monotonic() + DEADLINE
    while struct.unpack("i", fcntl.ioctl(s, 0x5411, b"\0" * 4))[0]:        # SIOCOUTQ
        assert time.monotonic() < end
        os.sched_yield()
    os.sched_yield()
