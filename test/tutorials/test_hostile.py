# SPDX-License-Identifier: MIT
"""Input that no client of the tutorials sends.  The server answers or ends that connection, and serves the next."""
import re
import socket
import threading

import pytest
from harness import ENGINES, MYRIAD, read_all, stage       # noqa: F401

every_engine = pytest.mark.parametrize("engine", ENGINES)
SERVICES = {"echo": (b"hello", b"hello"), "reverse": (b"abc\n", b"cba\n"), "count": (b"5 hello", b"hello"),
            "list": (b"CLEAR\nLIST\n", b"Lista apagada\n[]\n"), "stamp": (b"hello\n", None)}

ODD = {
    "huge": b"99999999999999999999999999 x\n", "2^64": b"18446744073709551616 x\n", "2^63": b"9223372036854775808 x\n",
    "negative": b"-1 x\n", "signed": b"+1 x\n", "zero": b"0 \n", "leading zero": b"01 x\n", "no digit": b"abc x\n",
    "hexadecimal": b"0x10 x\n", "NUL": b"\0\0 \0\n", "NUL in a number": b"1\0 x\n", "invalid UTF-8": b"\xff\xfe\x80\n",
    "half a character": b"5 ab\xc3\n", "overlong": b"\xc0\xaf\n", "surrogate": b"\xed\xa0\x80\n",
    "controls": b"\x1b]0;title\x07\x1b[2J\x08\x7f\r\n", "C1 controls": "\x9b31m\x85\n".encode(),
    "bidi": "\u202egnp.exe\u2066\n".encode(), "only newlines": b"\n" * 100, "only returns": b"\r" * 100,
    "spaces": b" " * 100 + b"\n", "format": b"%s%s%s%n%x\n", "no newline": b"x" * 2000,
}


def try_to_talk(server, request):
    """What comes back until the end, also if that is a reset."""
    got = b""
    try:
        with server.connect() as s:
            s.sendall(request)
            s.shutdown(socket.SHUT_WR)
            while part := s.recv(65536):
                got += part
    except ConnectionError:
        pass
    return got


def skip(s, n):
    while n > 0:
        part = s.recv(min(n, 1 << 20))
        assert part, f"ended with {n} bytes to come"
        n -= len(part)


def works(server, service):
    request, answer = SERVICES[service]
    got = server.ask(request)
    assert got == answer if answer is not None else got.startswith(b"Resposta eco => b'hello' as ")


def assert_log_is_plain(text):
    bad = [c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or c in "\u202e\u2066\ufffd"]
    assert not bad, f"unescaped in the log: {bad!r}"


@every_engine
@pytest.mark.parametrize("service", SERVICES)
def test_odd_input(stage, engine, service):
    server = stage.serve(service, "-v", engine=engine)
    for name, request in ODD.items():
        got = try_to_talk(server, request)
        if service == "echo":
            assert got == request, name
        if service == "list":
            assert b"\x1b" not in got and b"\0" not in got, name
        assert server.alive(), name
    works(server, service)
    assert server.interrupt() == 0
    assert_log_is_plain(server.err.text())


@every_engine
@pytest.mark.parametrize("id_,service", [("S0-P3", "echo"), ("S1-P2", "echo"), ("S4-P1", "echo"), ("S2-P3", "stamp"),
                                         ("S3-P1", "reverse"), ("S3-P3", "reverse"), ("S3-P5", "list"), ("S4-P3", "count")])
def test_odd_input_to_the_exact_editions(stage, engine, id_, service):
    server = stage.exact(service, id_, "-v", *(["--delay", "0s"] if service == "stamp" else []), engine=engine)
    for request in ODD.values():
        try_to_talk(server, request)
    assert server.alive()
    server.ask(b"1 x")
    assert server.interrupt() == 0
    assert_log_is_plain(server.err.text())


@every_engine
@pytest.mark.parametrize("service", ["reverse", "list", "stamp", "count"])
def test_a_gigabyte_without_an_end(stage, engine, service):
    """A message that never ends: the connection ends long before, or at least nothing is kept of it."""
    server = stage.serve(service, "--close-timeout", "50ms", engine=engine)
    block, sent = b"7" * (1 << 20), 0
    try:
        with server.connect() as s:
            while sent < 1 << 30:
                s.sendall(block)
                sent += len(block)
    except ConnectionError:
        pass
    assert sent < 1 << 30, "it took it all"
    assert server.resident() < 96 << 20 or "san" in MYRIAD
    works(server, service)


@every_engine
def test_a_gigabyte_of_payload_is_not_kept(stage, engine):
    """A whole one, announced: it streams through, and the server's memory does not grow with it."""
    server = stage.serve("count", engine=engine)
    size = 256 << 20
    with server.connect() as s:
        sender = threading.Thread(target=lambda: (s.sendall(b"%d " % size),
                                                  [s.sendall(bytes(1 << 20)) for _ in range(size >> 20)]))
        sender.start()
        for done in range(4):
            skip(s, size // 4 - 1)
            assert server.resident() < 96 << 20 or "san" in MYRIAD
        assert len(read_all(s)) == 4
        sender.join()


@every_engine
def test_many_lines_at_once(stage, engine):
    """Pipelined: as many answers as lines, in their order."""
    server = stage.serve("list", engine=engine)
    answers = server.ask(b"x\n" * 1000 + b"LIST\n").split(b"\n")
    assert answers[:1000] == [b"Ack"] * 1000
    assert len(re.findall(b"'x'", answers[1000])) == 1000 and answers[1001:] == [b""]
