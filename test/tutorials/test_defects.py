# SPDX-License-Identifier: MIT
"""The defects of the tutorials' programs, D1 to D21: each shown on the original where it can be, and gone in ours."""
import hashlib
import os
import socket
import struct
import subprocess
import threading
import time

import pytest
from harness import (DEADLINE, ENGINES, EVENT, MYRIAD, TOGETHER, Server, plain, read_all, read_exactly,
                     stage)       # noqa: F401

every_engine = pytest.mark.parametrize("engine", ENGINES)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def lines_of(s, *requests):
    """Send each as a line; returns the answers, a line each."""
    stream, answers = s.makefile("rb"), []
    for request in requests:
        s.sendall(request + b"\n")
        answers.append(stream.readline().removesuffix(b"\n"))
    return answers


def ticks_while_idle(server):
    """The server's processor time while this process spends a third of a second of its own."""
    before, own = server.ticks(), time.process_time()
    while time.process_time() - own < 0.3:
        hashlib.sha256(b"x" * 100000)
    return server.ticks() - before


@every_engine
def test_d01_the_listening_line_names_the_port(stage, engine):
    server = stage.exact("echo", "S1-P2", engine=engine)
    assert server.out.until("\n").decode() == f"Listening on ('127.0.0.1', {server.port})\n"


def test_d02_arguments_are_checked(stage):
    for wrong in ([], ["127.0.0.1"], ["127.0.0.1", "1"]):
        client = stage.command("multi", "--seed-exact", *wrong)
        assert client.wait() == 2
        assert "Usage: multiconn-client.py <host> <port> <num_connections>" in client.out.text() + client.err.text()
    client = stage.command("multi", "--seed-exact", "127.0.0.1", "1", "y")
    assert client.wait() == 2 and '"y" is not a number of connections' in client.err.text()


def test_d03_the_original_spins(stage):
    server = stage.tutorial_server("s1_p2", "127.0.0.1", "0")
    with server.connect():
        server.out.until("Accepted")
        assert ticks_while_idle(server) > 5


@every_engine
@pytest.mark.parametrize("edition", ["exact", "hardened"])
def test_d03_idle_connection_does_not_spin(stage, engine, edition):
    server = stage.exact("echo", "S1-P2", engine=engine) if edition == "exact" else stage.serve("echo", engine=engine)
    with server.connect() as s:
        s.sendall(b"x")
        assert read_exactly(s, 1) == b"x"
        assert ticks_while_idle(server) <= 2


@every_engine
def test_d04_what_is_unsent_at_the_end_is_not_lost(stage, engine):
    server = stage.serve("echo", engine=engine)
    data = os.urandom(8 << 20)
    with server.connect() as s:
        sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        sender.start()
        assert read_all(s) == data
        sender.join()


@every_engine
def test_d04_who_does_not_read_is_not_stored(stage, engine):
    server = stage.serve("echo", engine=engine)
    with server.connect() as s:
        s.setblocking(False)
        sent = 0
        try:
            while sent < 256 << 20:
                sent += s.send(b"x" * 65536)
        except BlockingIOError:
            pass                # as it should be: the server has stopped reading
        assert sent < 256 << 20
        assert server.resident() < 64 << 20 or "san" in MYRIAD


def test_d05_a_reset_ends_the_original(stage):
    server = stage.tutorial_server("s1_p2", "127.0.0.1", "0")
    s = server.connect()
    server.out.until("Accepted")
    reset(s)
    assert server.process.wait(DEADLINE) == 1
    assert "ConnectionResetError" in server.err.end()


@every_engine
@pytest.mark.parametrize("edition", ["exact", "hardened"])
def test_d05_a_reset_ends_one_connection(stage, engine, edition):
    server = stage.exact("echo", "S1-P2", engine=engine) if edition == "exact" else stage.serve("echo", engine=engine)
    for data in (b"", b"x" * 100000):
        s = server.connect()
        s.sendall(data)
        reset(s)
    assert server.ask(b"still here") == b"still here"
    assert server.alive()


@pytest.mark.parametrize("arguments", [["connect"], ["multi", "-c", "2", "-m", "hello"], ["send", "-m", "hello"]],
                         ids=["connect", "multi", "send"])
def test_d06_a_refused_connection_is_said(stage, arguments):
    client = stage.command(arguments[0], f"tcp:127.0.0.1:{closed_port()}", *arguments[1:])
    assert client.wait() != 0
    assert "refused" in client.err.text().lower()


@pytest.mark.parametrize("engine", EVENT)
def test_d07_select_is_a_system_call(stage, engine):
    """So are its successors: while nothing happens the server is in the kernel, waiting there."""
    numbers = {"x86_64": {"select": {23, 270}, "poll": {7, 271}, "epoll": {232, 281, 441}, "io_uring": {426}},
               "aarch64": {"select": {72}, "poll": {73}, "epoll": {22, 441}, "io_uring": {426}}}
    wanted = numbers.get(os.uname().machine, {}).get(engine)
    if wanted is None:
        pytest.skip("no table of system calls for " + os.uname().machine)
    server = stage.serve("echo", engine=engine)
    end = time.monotonic() + DEADLINE
    while True:
        at = open(f"/proc/{server.process.pid}/syscall").read().split()[0]
        if at.isdigit() and int(at) in wanted:
            return
        assert time.monotonic() < end, f"the idle server is in system call {at}"
        os.sched_yield()


@every_engine
def test_d08_a_long_reply_is_whole_and_dated_once(stage, engine):
    server = stage.serve("stamp", engine=engine)
    with server.connect() as s:
        long = b"\x01" * 4000           # four characters each in the reply
        reply, = lines_of(s, long)
    assert plain(reply.decode()) == "Resposta eco => " + repr(long) + " as <ctime>"


@pytest.mark.parametrize("who", ["python", *TOGETHER])
def test_d09_the_backlog_is_no_limit_on_connections(stage, who):
    """listen(5) is about connections nobody has accepted yet: twenty at a time are served."""
    server = stage.tutorial_server("s0_p3") if who == "python" else stage.serve("echo", engine=who)
    clients = [server.connect() for _ in range(20)]
    for i, s in enumerate(clients):
        s.sendall(b"%02d" % i)
    for i, s in enumerate(clients):
        assert read_exactly(s, 2) == b"%02d" % i
    for s in clients:
        s.close()


@every_engine
def test_d10_text_is_reversed_as_text(stage, engine):
    assert stage.serve("reverse", engine=engine).ask("Olá\n".encode()) == b"\xc3\xa1lO\n"
    assert stage.serve("reverse", "--bytes", engine=engine).ask("Olá\n".encode()) == b"\xa1\xc3lO\n"


def old_list(stage, *requests):
    server = stage.tutorial_server("s3_p5", "0")
    return [server.ask(request) for request in requests]


def test_d11_the_original_stores_nothing_at_all(stage):
    assert old_list(stage, b"", b"LIST") == [b"Ack", b"['']"]


@every_engine
def test_d11_who_sends_nothing_stores_nothing(stage, engine):
    server = stage.serve("list", engine=engine)
    assert server.ask(b"") == b""
    assert server.ask(b"LIST\n") == b"[]\n"


def test_d12_the_original_leaves_invalid_text_unanswered(stage):
    assert old_list(stage, b"\xff\xfe", b"LIST") == [b"", b"[]"]


@every_engine
def test_d12_invalid_text_is_answered_and_not_stored(stage, engine):
    server = stage.serve("list", engine=engine)
    with server.connect() as s:
        error, ok, all_ = lines_of(s, b"\xff\xfe", "Olá".encode(), b"LIST")
    assert error and error != b"Ack" and b"\xff" not in error
    assert (ok, all_) == (b"Ack", "['Olá']".encode())


def test_d13_the_original_stores_a_command_with_its_newline(stage):
    assert old_list(stage, b"LIST\n", b"list", b"LIST") == [b"Ack", b"Ack", rb"['LIST\n', 'list']"]


@every_engine
def test_d13_a_line_is_a_message(stage, engine):
    server = stage.serve("list", engine=engine)
    assert server.ask(b"a\nb\r\nLIST\nCLEAR\r\nLIST\n") == b"Ack\nAck\n['a', 'b']\nLista apagada\n[]\n"


@every_engine
def test_d14_an_empty_line_does_not_hang(stage, engine):
    server = stage.serve("list", engine=engine)
    client = stage.command("connect", f"tcp:127.0.0.1:{server.port}")
    client.type("\nola\nLIST\n")
    client.out.until("Ack")
    client.out.until("['ola']")
    assert client.wait() == 0


@every_engine
def test_d15_a_long_list_comes_whole(stage, engine):
    server = stage.serve("list", engine=engine)
    items = [f"item {i}" for i in range(500)]
    client = stage.command("connect", f"tcp:127.0.0.1:{server.port}")
    for item in items:
        client.type(item + "\n")
    client.type("LIST\nlast\n")
    client.out.until(repr(items))
    client.out.until("Ack")
    assert client.wait() == 0


@every_engine
def test_d16_no_descriptor_for_a_newcomer(stage, engine):
    """accept() fails, or the server refuses in time; either way it serves again when there is room."""
    argv = [MYRIAD, "serve", "echo", "0", "-e", engine]
    program = stage.keep(Server(["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", *argv], ready="out"))
    crowd = [program.connect() for _ in range(60)]
    for s in crowd:
        s.close()
    assert program.ask(b"room again") == b"room again"


@every_engine
def test_d17_both_sides_move_all(stage, engine):
    server = stage.serve("echo", engine=engine)
    text = b"0123456789abcdef" * 40000 + b"\n"
    done = subprocess.run([MYRIAD, "connect", f"tcp:127.0.0.1:{server.port}"], input=text, capture_output=True,
                          timeout=DEADLINE)
    assert (done.returncode, done.stdout == text) == (0, True)


def test_d18_a_live_connection_keeps_the_original_alive(stage):
    """Not the newest connection: that one socketserver closes if the signal comes while its thread is being started."""
    server = stage.tutorial_server("s0_p3")
    with server.connect() as s, server.connect() as newest:
        for one in s, newest:
            one.sendall(b"x")
            assert read_exactly(one, 1) == b"x"
        server.process.send_signal(2)
        server.out.until("server: shut down")
        s.sendall(b"y")
        assert read_exactly(s, 1) == b"y" and server.alive()


@every_engine
@pytest.mark.parametrize("edition", ["exact", "hardened"])
def test_d18_ctrl_c_ends_with_a_live_connection(stage, engine, edition):
    server = (stage.exact("echo", "S0-P3", "--close-timeout", "100ms", engine=engine) if edition == "exact"
              else stage.serve("echo", "--close-timeout", "100ms", engine=engine))
    with server.connect() as s:
        s.sendall(b"x")
        assert read_exactly(s, 1) == b"x"
        assert server.interrupt() == 0
        assert s.recv(1) == b""
    if edition == "exact":
        assert "\n\nKeyborad Interrupt detected\n" in server.out.text()
        assert server.out.text().endswith("server: shut down\n")


def test_d19_the_original_takes_length_zero_for_none(stage):
    """`0 ` alone closes, because nothing sent equals nothing announced; with data behind it the length is sought again."""
    server = stage.tutorial_server("s4_p3")
    assert server.ask(b"0 ") == b""
    with server.connect() as s:
        s.sendall(b"0 abc")
        assert read_exactly(s, 3) == b"abc"
        s.sendall(b"2 x")
        assert read_exactly(s, 1) == b"x"
        server.out.until("extracted content length=2")


@every_engine
def test_d19_length_zero_closes_at_once(stage, engine):
    server = stage.serve("count", engine=engine)
    for request in (b"0 ", b"0 abc"):
        with server.connect() as s:
            s.sendall(request)
            assert read_all(s) == b""


def test_d20_the_original_echoes_more_than_was_announced(stage):
    server = stage.tutorial_server("s4_p3")
    with server.connect() as s:
        s.sendall(b"2 hello")
        assert read_exactly(s, 5) == b"hello"
        s.sendall(b"!")                 # and it goes on for ever
        assert read_exactly(s, 1) == b"!"


@every_engine
def test_d20_only_what_was_announced(stage, engine):
    server = stage.serve("count", engine=engine)
    with server.connect() as s:
        s.sendall(b"2 hello")
        try:
            assert read_all(s) == b"he"
        except ConnectionError:
            pytest.fail("the peer's last bytes were lost to a reset")


@pytest.mark.parametrize("request_", [b"+5 hello", b"05 hello", b"\n5 hello"])
def test_d21_the_original_accepts_what_int_accepts(stage, request_):
    with stage.tutorial_server("s4_p3").connect() as s:
        s.sendall(request_)
        assert read_all(s) == b"hello"


@every_engine
@pytest.mark.parametrize("request_", [b"+5 hello", b"-5 hello", b"05 hello", b"\n5 hello", b" hello", b"x hello",
                                      "٥ hello".encode(), b"5\0 hello", b"5_0 hello", b"\t5 hello", b"5\t hello"])
def test_d21_a_length_is_digits(stage, engine, request_):
    server = stage.serve("count", engine=engine)
    try:
        with server.connect() as s:
            s.sendall(request_)
            assert read_all(s) == b""
    except ConnectionError:
        pass
    assert server.ask(b"5 hello") == b"hello"
