# SPDX-License-Identifier: MIT
"""Applications for tests, and daemons of which none is left behind: every process of a test is found by a mark."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

import pytest
from conftest import DEADLINE, ENVIRONMENT, Lines, MYRIAD, TOP, connect, engines, read_all

INCLUDE = f"-I{TOP}/include"
BUILD = pathlib.Path(MYRIAD).resolve().parent
NOBODY = 65534
ENGINES = engines()

# What differs for files, signals and successors: threads, worker processes, forked children.
HOWS = [how for how in (["-e", "io_uring"], ["-e", "epoll"], ["-e", "io_uring", "-w", "3"], ["-e", "epoll", "-w", "3"],
                        ["-e", "epoll", "-w", "3", "--processes"], ["-e", "poll"], ["-e", "thread"], ["-e", "fork"],
                        ["-e", "fork", "-w", "2"], ["-e", "iterative"]) if how[1] in ENGINES]

# "print TEXT" goes to standard output, "log TEXT" to the log; each line comes back behind the word.
TALK = r"""
#include <myriad.h>
#include <stdio.h>
#include <string.h>
#ifndef WORD
#define WORD "one"
#endif
static void handle(struct myr_conn *c)
{
	char line[1024];

	while (myr_recv(c, line, sizeof line) >= 0) {
		if (strncmp(line, "print ", 6) == 0)
			printf("%s\n", line + 6);
		if (strncmp(line, "log ", 4) == 0)
			myr_log(c, 5, "%s", line + 4);
		myr_printf(c, "%s: %s\n", WORD, line);
	}
}
static const struct myr_service talk = { .name = "talk", .framing = &myr_lines, .handle = handle };
"""
TALK_APP = TALK + 'MYR_APP("talk", "says it again", &talk, "0");\n'


def until(condition, what):
    end = time.monotonic() + DEADLINE
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {DEADLINE} s"
        time.sleep(0.005)
    return value


class Folder:
    """A folder with applications; what runs in it is known by a mark in its environment."""

    def __init__(self, path):
        self.path = path
        self.mark = f"LAUNCH_MARK={uuid.uuid4()}"
        self.running = []

    def write(self, name, text, mode=0o644):
        (self.path / name).write_text(text)
        (self.path / name).chmod(mode)
        return name

    def object(self, name, text, *flags):
        """A shared object."""
        source = self.write(name.removesuffix(".so") + ".c", text)
        subprocess.run(["cc", "-shared", "-fPIC", INCLUDE, source, "-o", name, *flags], cwd=self.path, check=True)
        (self.path / name).chmod(0o755)
        return name

    def environment(self, env=None):
        key, value = self.mark.split("=")
        return {**ENVIRONMENT, key: value, **(env or {})}

    def myriad(self, *args, env=None, **more):
        """A command to its end: (status, stdout, stderr)."""
        done = subprocess.run([MYRIAD, *map(str, args)], cwd=self.path, env=self.environment(env), timeout=DEADLINE,
                              stdin=subprocess.DEVNULL, capture_output=True, **more)
        return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")

    def start(self, *args, **more):
        """myriad run -D, which must go well; returns the pid."""
        status, out, err = self.myriad("run", "-D", *args, **more)
        assert status == 0, err
        assert re.fullmatch(r"started, pid \d+(, log .*)?\n", out), out
        return int(re.search(r"pid (\d+)", out)[1])

    def foreground(self, *args, env=None, listeners=1, **more):
        return Foreground(self, [*map(str, args)], self.environment(env), listeners, more)

    def says(self, key, name="talk"):
        return [line.split("=", 1)[1] for line in (self.path / f"{name}.pid").read_text().splitlines()
                if line.startswith(key + "=")]

    def pid(self, name="talk"):
        return int((self.path / f"{name}.pid").read_text().split()[0])

    def log(self, name="talk.log"):
        return (self.path / name).read_text()

    def logged(self, part, name="talk.log"):
        until(lambda: (self.path / name).exists() and part in self.log(name), f"{part!r} in {name}")

    def processes(self):
        """Those alive that were started in this test."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def nothing_left(self):
        until(lambda: not self.processes(), f"the end of {self.processes()}")

    def end(self):
        for server in self.running:
            server.end()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Foreground:
    """myriad run in the foreground, ready."""

    def __init__(self, folder, args, env, listeners, more):
        self.process = subprocess.Popen([MYRIAD, "run", *args], cwd=folder.path, env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        folder.running.append(self)
        self.out = Lines(self.process.stdout.fileno())
        self.err = Lines(self.process.stderr.fileno())
        self.addresses = []
        while len(self.addresses) < listeners:
            line = self.out.next()
            if line is None:
                pytest.fail("it did not start: " + " / ".join(self.err.all()))
            if line.startswith("ready "):
                self.addresses.append(line.removeprefix("ready "))
        self.address = self.addresses[0]

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def ask(address, line):
    """A line on a connection of its own; the answer."""
    with connect(address) as s:
        s.sendall(line.encode() + b"\n")
        s.shutdown(socket.SHUT_WR)
        return read_all(s).decode()


def read_line(s):
    got = b""
    while not got.endswith(b"\n"):
        part = s.recv(1)
        assert part, f"ended after {got!r}"
        got += part
    return got.decode()


@pytest.fixture
def folder():
    """Not pytest's: that one nobody else may enter, and other users are to."""
    tmp_path = pathlib.Path(tempfile.mkdtemp(prefix="myriad-test-"))
    tmp_path.chmod(0o755)
    place = Folder(tmp_path)
    yield place
    left = []
    with contextlib.suppress(AssertionError):
        for server in place.running:
            server.end()
    for name in tmp_path.glob("**/*.pid"):
        place.myriad("stop", "-q", "--now", name)
    try:
        place.nothing_left()
    except AssertionError as e:
        left.append(str(e))
    place.end()
    shutil.rmtree(tmp_path)
    assert not left, left


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
no_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a compiler")
