# SPDX-License-Identifier: MIT
"""myriad send: a payload behind its length, against a good server, a bad one and none."""
import contextlib
import hashlib
import os
import re
import socket
import struct
import subprocess

import pytest
from conftest import DEADLINE, ENVIRONMENT, MYRIAD, peer, run


def read_head(c):
    head = b""
    while not head.endswith(b" "):
        head += c.recv(1)
    return int(head)


def count(c):
    """S4-P3: exactly `length` bytes come back, then the end."""
    left = read_head(c)
    while left > 0:
        data = c.recv(min(left, 1 << 18))
        assert data, f"{left} bytes are missing"
        c.sendall(data)
        left -= len(data)


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def until_end(c):
    with contextlib.suppress(OSError):
        while c.recv(65536):
            pass


@pytest.mark.parametrize("size", [0, 1, 1024, 1 << 20])
@pytest.mark.parametrize("way", ["file", "pipe", "known", "dash"])
def test_a_payload_there_and_back(tmp_path, size, way):
    data = os.urandom(size)
    path = tmp_path / "payload"
    path.write_bytes(data)
    args = {"file": [path], "pipe": [], "known": ["--length", size], "dash": ["-"]}[way]
    with peer(count) as port:
        done = subprocess.run([MYRIAD, "send", str(port), *map(str, args)], env=ENVIRONMENT, timeout=DEADLINE,
                              input=b"" if way == "file" else data, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data


def test_what_is_on_the_wire():
    seen = []

    def look(c):
        seen.append(c.recv(7, socket.MSG_WAITALL))
        c.sendall(b"hello")
    with peer(look) as port:
        assert run("send", port, "-m", "hello") == (0, "hello", "")
    assert seen == [b"5 hello"]


def test_the_rest_of_a_file(tmp_path):
    path = tmp_path / "lines"
    path.write_text("first\nsecond\n")
    with peer(count) as port, open(path, "rb", buffering=0) as f:
        f.read(6)
        assert run("send", port, stdin_file=f) == (0, "second\n", "")


def test_to_a_file(tmp_path):
    with peer(count) as port:
        assert run("send", port, "-m", "hello", "--output", tmp_path / "out") == (0, "", "")
    assert (tmp_path / "out").read_text() == "hello"


def test_check():
    with peer(count) as port:
        assert run("send", port, "-m", "hello", "--check") == (0, "ok, 5 bytes\n", "")


def test_a_wrong_byte_is_found():
    def spoil(c):
        n = read_head(c)
        data = bytearray(c.recv(n, socket.MSG_WAITALL))
        data[70000] ^= 1
        c.sendall(data[:1])
        c.sendall(data[1:])
        until_end(c)
    with peer(spoil) as port:
        status, out, err = run("send", port, "--check", stdin=b"x" * 100000)
    assert (status, out, err) == (1, "", "myriad send: the reply differs from standard input at byte 70000\n")


def memory(pid):
    """The most it has had of real memory, in kilobytes; 0: it has ended."""
    with open(f"/proc/{pid}/status") as f:
        return int((re.search(r"VmHWM:\s+(\d+)", f.read()) or [0, 0])[1])


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_300_mb(tmp_path, piped):
    """Sparse, with a mark in the middle and at the end; memory stays small on the way."""
    size, path = 300_000_000, tmp_path / "sparse"
    with open(path, "wb") as f:
        f.seek(size // 2)
        f.write(b"middle")
        f.seek(size - 3)
        f.write(b"end")
    args = ["--length", size] if piped else [path]
    feed = subprocess.Popen(["cat", path], stdout=subprocess.PIPE) if piped else None
    with peer(count) as port:
        client = subprocess.Popen([MYRIAD, "send", str(port), *map(str, args)], env=ENVIRONMENT,
                                  stdin=feed.stdout if piped else subprocess.DEVNULL, stdout=subprocess.PIPE)
        came, total, most = hashlib.sha256(), 0, 0
        while piece := client.stdout.read(1 << 20):
            came.update(piece)
            total += len(piece)
            most = max(most, memory(client.pid))
        assert client.wait(DEADLINE) == 0
        client.stdout.close()
    if feed:
        feed.stdout.close()
        assert feed.wait(DEADLINE) == 0
    with open(path, "rb") as f:
        assert came.hexdigest() == hashlib.file_digest(f, "sha256").hexdigest()
    assert total == size
    if not re.search("-(asan|tsan)", MYRIAD):
        assert 0 < most < 16 << 10, "kilobytes"


def test_a_server_that_does_not_read_stops_the_reading():
    with socket.create_server(("127.0.0.1", 0)) as s:
        client = subprocess.Popen([MYRIAD, "send", str(s.getsockname()[1]), "--length", "4G", "--timeout", "1s"],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT)
        c, _ = s.accept()
        taken = 0
        with contextlib.suppress(BrokenPipeError):
            while True:
                taken += os.write(client.stdin.fileno(), b"x" * 65536)
                assert taken < 64 << 20, "it takes everything"
        client.stdin.close()
        assert client.wait(DEADLINE) == 1
        assert b"connection timed out; 0 of 4294967296 bytes came back" in client.stderr.read()
        client.stderr.close()
        c.close()


def short(c):
    c.recv(read_head(c), socket.MSG_WAITALL)
    c.sendall(b"hel")


def long(c):
    c.sendall(c.recv(read_head(c), socket.MSG_WAITALL) + b"!")
    until_end(c)


def resets(c):
    c.recv(read_head(c), socket.MSG_WAITALL)
    c.sendall(b"h")
    reset(c)


def never_ends(c):
    c.sendall(c.recv(read_head(c), socket.MSG_WAITALL))
    until_end(c)


def never_answers(c):
    until_end(c)


@pytest.mark.parametrize("bad, said", [
    (short, "the reply of tcp:127.0.0.1:{} ended after 3 of 5 bytes\n"),
    (long, "tcp:127.0.0.1:{} sends more than the 5 bytes it was sent\n"),
    (resets, "connection to tcp:127.0.0.1:{} lost: connection reset by peer; "),
    (never_ends, "all 5 bytes came back, but tcp:127.0.0.1:{} does not end the connection\n"),
    (never_answers, "connection to tcp:127.0.0.1:{} lost: connection timed out; 0 of 5 bytes came back\n"),
], ids=lambda v: v.__name__ if callable(v) else "")
def test_bad_servers(bad, said):
    with peer(bad) as port:
        status, _, err = run("send", port, "-m", "hello", "--timeout", "300ms")
    assert status == 1
    assert err.startswith("myriad send: " + said.format(port))


def test_a_file_that_becomes_shorter(tmp_path):
    path = tmp_path / "shrinking"
    path.write_bytes(b"x" * (8 << 20))

    def shrink(c):
        c.recv(1)
        os.truncate(path, 100)
        until_end(c)
    with peer(shrink) as port:
        status, _, err = run("send", port, path)
    assert status == 1
    assert err.startswith(f"myriad send: {path} ended after ")


def test_a_pipe_shorter_than_announced():
    for more in ([], ["--check"]):
        with peer(until_end, clients=0 if more else 1) as port:
            status, _, err = run("send", port, "--length", 10, *more, stdin=b"short")
        assert status == 1
        assert err == ("myriad send: standard input has 5 bytes, and --length asks for 10\n" if more else
                       "myriad send: standard input ended after 5 of 10 bytes\n")


def test_nobody_there():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        status, out, err = run("send", port, "-m", "x")
    assert (status, out) == (1, "")
    assert err.startswith(f"myriad send: cannot connect to tcp:127.0.0.1:{port}: connection refused\n")


@pytest.mark.parametrize("args, status, said", [
    ([], 2, "send to what?"),
    ([1, "a", "b"], 2, '"b" is not expected after "a"'),
    ([1, "a", "-m", "b"], 2, "a file and -m: which of the two?"),
    ([1, "-m", "b", "--length", "1"], 2, "--length has no meaning with it"),
    ([1, "--check", "-o", "x"], 2, "--output has no meaning with it"),
    ([1, "/nowhere/file"], 1, "cannot read /nowhere/file: no such file or directory"),
    ([1, "/"], 1, "cannot read /: is a directory"),
    ([1, "-m", "b", "-o", "/nowhere/file"], 1, "cannot write /nowhere/file: no such file or directory"),
    ([70000, "-m", "b"], 2, 'port "70000" is out of range'),
    ([1, "--length", "-1"], 2, '"-1" is not a size'),
], ids=str)
def test_mistakes(args, status, said):
    got, out, err = run("send", *args)
    assert (got, out) == (status, "")
    assert said in err


def test_a_full_disk():
    with peer(never_answers) as port:
        status, _, err = run("send", port, "-m", "hello", "-o", "/dev/full", "--timeout", "300ms")
    assert status == 1
    with peer(count) as port:
        status, _, err = run("send", port, "-m", "hello", "-o", "/dev/full")
    assert (status, err) == (1, "myriad send: cannot write /dev/full: no space left on device\n")
