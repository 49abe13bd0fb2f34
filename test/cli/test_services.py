# SPDX-License-Identifier: MIT
"""The hardened services: stamp, reverse, list, count, under every engine and against hostile clients."""
import os
import re
import socket
import threading

import pytest
from conftest import engines, read_all, read_exactly, run

ENGINES = engines()


@pytest.fixture(params=ENGINES)
def service(serve, request):
    def start(name, *args):
        return serve(name, 0, "-e", request.param, *args)
    return start


# --- count -----------------------------------------------------------------------------------------

def test_count_echoes_so_many_bytes_and_closes(service):
    server = service("count")
    with server.connect() as s:
        s.sendall(b"5 hello")
        assert read_all(s) == b"hello"
    assert server.ask(b"5 hello and more") == b"hello"
    assert server.ask(b"0 more") == b""
    assert server.ask(b"10 hello") == b"hello"


@pytest.mark.parametrize("prefix", [
    b"+5 hello", b"-5 hello", b"05 hello", b"00 ", b" 5 hello", b"\n5 hello", b"5\nhello", b"0x5 hello", b"5\0 hello",
    b"\xff5 hello", "٥ hello".encode(), b"1e3 hello", b"1073741825 x", b"18446744073709551616 x", b"18446744073709551621 x",
    b"9" * 5000, b"five hello", b"\x1b[2J5 hello"])
def test_count_takes_no_other_length(serve, prefix):
    server = serve("count", 0)
    with server.connect() as s:
        s.sendall(prefix)
        try:
            assert read_all(s) == b""           # at once: we have not ended
        except ConnectionResetError:
            pass
    line = server.err.until("no length")
    assert line.isprintable()
    assert server.ask(b"2 ok") == b"ok"


def test_count_has_a_limit(serve):
    server = serve("count", 0, "--payload-max", "4")
    assert server.ask(b"4 abcd") == b"abcd"
    assert server.ask(b"5 abcde") == b""


def test_count_streams_a_gigabyte_in_little_memory(serve):
    server = serve("count", 0)
    total, piece = 1 << 30, bytes(range(256)) * 1024
    got, wrong = 0, False
    with server.connect() as s:
        def send():
            s.sendall(b"%d " % total)
            for _ in range(total // len(piece)):
                s.sendall(piece)
        sender = threading.Thread(target=send)
        sender.start()
        buffer = bytearray(len(piece))
        while n := s.recv_into(buffer):
            at = got % len(piece)
            wrong = wrong or buffer[:n] != (piece + piece)[at:at + n]
            got += n
        sender.join()
    assert (got, wrong) == (total, False)
    pages = int(open(f"/proc/{server.process.pid}/statm").read().split()[1])
    assert pages * os.sysconf("SC_PAGE_SIZE") < 64 << 20 or "san" in os.environ.get("MYRIAD", "")


# --- stamp, reverse ----------------------------------------------------------------------------------

def test_stamp(service):
    lines = service("stamp").ask(b"hi\r\nit's\n\n").decode().splitlines()
    assert len(lines) == 3
    for line, data in zip(lines, ["b'hi'", '''b"it's"''', "b''"]):
        assert re.fullmatch(re.escape(f"Resposta eco => {data} as ") + r"[A-Z].. [A-Z].. [ \d]\d [\d:]{8} \d{4}", line)


def test_stamp_shows_any_byte(serve):
    data = bytes(b for b in range(256) if b not in b"\r\n")
    assert serve("stamp", 0).ask(data + b"\n").decode().startswith(f"Resposta eco => {data!r} as ")


@pytest.mark.parametrize("delay", ["5x", "-1s", "", "99999999h", "s"])
def test_stamp_delay_is_a_time(delay):
    status, _, err = run("serve", "stamp", 0, f"--delay={delay}")
    assert status == 2
    assert "delay" in err


def test_reverse_by_byte(service):
    assert service("reverse", "--bytes").ask("Olá\n".encode()) == b"\xa1\xc3lO\n"


# --- list --------------------------------------------------------------------------------------------

def test_list(service):
    server = service("list")
    request = "ola\nit's\r\nOlá\nLIST\nCLEAR\nLIST\nlist\nLIST \nLIST".encode() + b"\n"
    assert server.ask(request).decode().splitlines() == [
        "Ack", "Ack", "Ack", """['ola', "it's", 'Olá']""", "Lista apagada", "[]", "Ack", "Ack", "['list', 'LIST ']"]


def test_list_is_shared(service):
    server = service("list", "-w", "3")
    def add(k):
        assert server.ask(b"".join(b"%d-%d\n" % (k, i) for i in range(50))) == b"Ack\n" * 50
    threads = [threading.Thread(target=add, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    items = eval(server.ask(b"LIST\n"))
    assert sorted(items) == sorted(f"{k}-{i}" for k in range(8) for i in range(50))
    for k in range(8):
        assert [i for i in items if i.startswith(f"{k}-")] == [f"{k}-{i}" for i in range(50)]


def test_list_refuses_what_is_no_item(service):
    server = service("list")
    assert server.ask(b"\n") == b"Error: an empty line is no item\n"
    assert server.ask(b"") == b""
    assert server.ask(b"abc\xff\n") == b"Error: not UTF-8 at byte 3: invalid start byte\n"
    assert server.ask(b"x" * 5000 + b"\n") == b"Error: not kept: longer than 4096 bytes\n"
    assert server.ask(b"no newline") == b""
    assert server.ask(b"LIST\n") == b"[]\n"


def test_list_keeps_control_characters_and_shows_them_escaped(serve):
    server = serve("list", 0)
    assert server.ask(b"\0\x1b[2J\t\nLIST\n") == b"Ack\n['\\x00\\x1b[2J\\t']\n"


def test_list_has_limits(serve):
    server = serve("list", 0, "--items-max", "2")
    assert server.ask(b"a\nb\nc\nLIST\nCLEAR\nc\n").decode().splitlines() == [
        "Ack", "Ack", "Error: not kept: the list is full", "['a', 'b']", "Lista apagada", "Ack"]
    server = serve("list", 0, "--bytes-max", "5")
    assert server.ask(b"abc\ndefg\nde\n").decode().splitlines() == ["Ack", "Error: not kept: the list is full", "Ack"]


def test_list_of_one_request(service):
    server = service("list", "--one")
    with server.connect() as s:
        s.sendall(b"a\n")
        assert read_all(s) == b"Ack\n"
    assert server.ask(b"LIST\n") == b"['a']\n"


@pytest.mark.parametrize("option", [["--items-max", "0"], ["--items-max", "x"], ["--bytes-max", "-1"], ["--store", "what:"]])
def test_list_options_are_checked(option):
    status, _, err = run("serve", "list", 0, *option)
    assert status == 2
    assert option[1] in err


def test_an_option_of_another_service(serve):
    status, _, err = run("serve", "echo", 0, "--delay", "1s")
    assert status == 2
    assert "--delay is not an option of echo" in err
