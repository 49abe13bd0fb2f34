# SPDX-License-Identifier: MIT
"""--seed-exact: what the tutorials' servers send and print, to the byte, under every engine."""
import os
import re
import signal
import socket
import subprocess

import pytest
from conftest import Lines, engines, read_all, read_exactly, run

ENGINES = engines()
OLA = "Olá".encode()
CTIME = r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}"


@pytest.fixture(params=ENGINES)
def exact(serve, request):
    """exact("echo", "S0-P3") under each engine."""
    def start(service, edition, *args, **more):
        return serve(service, 0, f"--seed-exact={edition}", "-e", request.param, *args, exact=True, **more)
    return start


def printed(server, number=signal.SIGINT):
    """Everything on standard output, when it has been stopped."""
    server.send(number)
    lines = server.out.all()
    assert server.wait() == 0
    return "\n".join(lines)


def talk(server, *pieces):
    """Pieces and their echoes, one after the other; the client's address as Python prints it."""
    with server.connect() as s:
        for piece in pieces:
            s.sendall(piece)
            assert read_exactly(s, len(piece)) == piece
        return s.getsockname()


def test_s0_p3(exact):
    server = exact("echo", "S0-P3")
    me = talk(server, b"first", b"second one")
    server.out.until("terminating")
    assert printed(server).splitlines() == [
        "server: starting",
        f"server@Thread-1: accepted connection by {me}",
        f"server@Thread-1: received from {me} data first",
        f"server@Thread-1: received from {me} data second one",
        f"server@Thread-1: terminating connection to {me}",
        "", "Keyborad Interrupt detected", "server: shut down"]


def test_s0_p3_counts_its_threads(exact):
    server = exact("echo", "S0-P3")
    for number in 1, 2, 3:
        talk(server, b"x")
        assert server.out.until("terminating").startswith(f"server@Thread-{number}: ")


def test_data_arrive_in_pieces_of_1024(exact):
    server = exact("echo", "S1-P2")
    server.ask(b"x" * 3000)
    server.out.until("Closing")
    sizes = [line.count("x") for line in server.out.seen if line.startswith("Echoing")]
    assert sum(sizes) == 3000 and max(sizes) <= 1024 and len(sizes) >= 3


def test_s0_p2_serves_one_at_a_time_and_prints_nothing(serve):
    server = serve("echo", 0, "--seed-exact=S0-P2", exact=True)
    with server.connect() as first, server.connect() as second:
        second.sendall(b"two")
        first.sendall(b"one")
        assert read_exactly(first, 3) == b"one"
        first.close()
        assert read_exactly(second, 3) == b"two"
    assert printed(server) == ""


def test_s1_p2(exact):
    server = exact("echo", "S1-P2")
    me = talk(server, b"it's\n", b"\x00\xff\\")
    server.out.until("Closing")
    port = int(server.address.rsplit(":", 1)[1])
    assert printed(server).splitlines() == [
        f"Listening on ('127.0.0.1', {port})",
        f"Accepted connection from {me}",
        f"""Echoing b"it's\\n" to {me}""",
        f"Echoing b'\\x00\\xff\\\\' to {me}",
        f"Closing connection to {me}",
        "Caught keyboard interrupt, exiting"]


def test_s4_p1(exact):
    server = exact("echo", "S4-P1")
    talk(server, b"first", b"second one")
    assert printed(server).splitlines() == ["Received 5 bytes :first", "Received 10 bytes :second one"]


def test_s2_p3(exact):
    server = exact("stamp", "S2-P3", "--delay", "10ms")
    with server.connect() as s:
        me = s.getsockname()
        s.sendall(b"Ola mundo da internet!")
        s.shutdown(socket.SHUT_WR)
        assert re.fullmatch(r"Resposta eco => b'Ola mundo da internet!' as " + CTIME, read_all(s).decode())
    assert re.fullmatch(re.escape(str(me)) + " " + CTIME, printed(server))


def test_s2_p3_waits_five_seconds():
    def virtual_ms(*more):
        status, out, _ = run("serve", "stamp", "--seed-exact", "-e", "sim:1", "--sim-clients", "1", *more)
        assert status == 0
        return int(re.search(r"(\d+) virtual ms", out)[1])
    assert virtual_ms() >= 5000 > virtual_ms("--delay", "0")


def test_s2_p4(exact):
    server = exact("stamp", "S2-P4")
    with server.connect() as s:
        me = s.getsockname()
        s.sendall(b"it's")
        assert re.match(rb'Resposta eco => b"it\'s" as ', s.recv(1024))
    server.out.until("Recebeu b''")
    lines = printed(server).splitlines()
    number = lines[1].rsplit(" ", 1)[1]
    assert number.isdigit()
    assert lines == ["Loop de seleção de socket iniciado!", f"Conecta: {me} {number}",
                     f"""\tRecebeu b"it's" em {number}""", f"\tRecebeu b'' em {number}"]


def test_s2_p4_has_two_ports_and_prints_its_start_once(serve):
    server = serve("stamp", 0, 0, "--seed-exact=S2-P4", exact=True, listeners=2)
    for address in server.addresses:
        assert server.ask(b"x", address).startswith(b"Resposta eco => b'x' as ")
    assert printed(server).count("iniciado") == 1


def test_s2_p2(exact):
    server = exact("stamp", "S2-P2")
    with server.connect() as s:
        me = s.getsockname()
        s.sendall(b"Ola mundo da internet!")
        assert read_exactly(s, 34) == b"Resposta => Ola mundo da internet!"
    assert printed(server) == f"Server conectado por {me}"


def test_s3_p1(exact):
    server = exact("reverse", "S3-P1")
    with server.connect() as s:
        me = s.getsockname()
        s.sendall(OLA)
        assert read_exactly(s, 4) == b"\xc3\xa1lO"
    server.out.until("fechou")
    assert printed(server).splitlines() == ["Novo cliente ligado desde %s:%d" % me, "Cliente fechou ligação"]


def test_s3_p1_survives_bytes_that_are_no_text(exact):
    server = exact("reverse", "S3-P1")
    assert server.ask(b"\xff") == b""
    assert server.ask(b"abc") == b"cba"


def test_s3_p3(exact):
    server = exact("reverse", "S3-P3")
    with server.connect() as s:
        me = s.getsockname()
        s.sendall(OLA)
        assert read_all(s) == b"\xa1\xc3lO"     # and the end, though we have not ended
    assert printed(server).splitlines() == [f"ligado a  {me}", r"b'Ol\xc3\xa1'"]


def test_s3_p3_in_a_loop(exact):
    server = exact("reverse", "S3-P3", "--loop")
    with server.connect() as s:
        for _ in range(3):
            s.sendall(b"abc")
            assert read_exactly(s, 3) == b"cba"
    assert printed(server).count("ligado a  ") == 3


def test_s3_p5(exact):
    server = exact("list", "S3-P5")
    items = [b"ola", b"it's", "Olá\n".encode()]
    for item in items:
        assert server.ask(item) == b"Ack"
    assert server.ask(b"LIST").decode() == r"""['ola', "it's", 'Olá\n']"""
    assert server.ask(b"CLEAR") == b"Lista apagada"
    assert server.ask(b"LIST") == b"[]"
    assert server.ask(b"list") == b"Ack"
    assert server.ask(b"LIST\n") == b"Ack"
    assert server.ask(b"") == b"Ack"            # D11
    assert printed(server).splitlines() == [
        "lista= ['ola']", """lista= ['ola', "it's"]""", r"""lista= ['ola', "it's", 'Olá\n']""",
        r"""lista= ['ola', "it's", 'Olá\n']""", "lista= []", "lista= []", "lista= ['list']",
        r"lista= ['list', 'LIST\n']", r"lista= ['list', 'LIST\n', '']"]


@pytest.mark.parametrize("data", [b"a\xff", b"\xc3", b"\xe2\x82", b"\xe2\x82x", b"\xed\xa0\x80", b"\xf4\x90", b"\xc0\x80"])
def test_s3_p5_prints_the_exception_of_bytes_that_are_no_text(serve, data):
    server = serve("list", 0, "--seed-exact", exact=True)
    assert server.ask(data) == b""
    with pytest.raises(UnicodeDecodeError) as e:
        data.decode()
    line = server.out.next()
    assert line.startswith(f"(<class 'UnicodeDecodeError'>, {e.value!r}, <traceback object at 0x")
    assert server.ask(b"LIST") == b"[]"


def test_s4_p3(exact):
    server = exact("count", "S4-P3")
    with server.connect() as s:
        s.sendall(b"10 ")
        assert server.out.next() == "received data with len 3 (total received=3)"
        assert server.out.next() == "extracted content length=10"
        assert server.out.next() == "echoed data with len 0 (total sent=0)"
        s.sendall(b"01")
        assert read_exactly(s, 2) == b"01"
        assert server.out.next() == "received data with len 2 (total received=5)"
        assert server.out.next() == "echoed data with len 2 (total sent=2)"
        s.sendall(b"23456789")
        assert read_all(s) == b"23456789"
    server.out.until("echoed data with len 8 (total sent=10)")


def test_s4_p3_takes_what_int_takes(serve):
    server = serve("count", 0, "--seed-exact", exact=True)
    assert server.ask(b"\n+05 hello and more") == b"hello and more"     # D20, D21
    assert server.ask(b"x5 hello") == b""
    assert server.ask(b" hello") == b""
    assert server.ask(b"9" * 10000) == b""      # a length has an end
    assert server.ask(b"2 ok") == b"ok"


def test_lines_of_many_clients_are_whole(exact):
    server = exact("echo", "S1-P2", "--drain-timeout", "5s")
    clients = [server.connect() for _ in range(20)]         # all lines fit the pipe, which is read at the end
    for _ in range(5):
        for c in clients:
            c.sendall(b"y" * 200)
    for c in clients:
        assert read_exactly(c, 1000) == b"y" * 1000
        c.close()
    for line in printed(server).splitlines():
        assert re.fullmatch(r"(Listening on|Accepted connection from|Closing connection to|Echoing b'y+' to) "
                            r"\('127\.0\.0\.1', \d+\)|Caught keyboard interrupt, exiting", line)


def test_a_closed_standard_output_harms_no_client(exact):
    theirs, ours = os.pipe()
    os.close(theirs)
    try:
        server = exact("echo", "S0-P3", stdout=ours)
        assert server.ask(b"still here") == b"still here"
        assert server.ask(b"and here") == b"and here"
        server.send(signal.SIGINT)
        assert server.wait() in (0, 1)
    finally:
        os.close(ours)


def test_on_a_terminal_control_bytes_are_escaped(serve):
    import pty
    ours, theirs = pty.openpty()
    try:
        server = serve("echo", 0, "--seed-exact", exact=True, stdout=theirs)
        assert server.ask("\x1b[2Já\x9b\xff".encode("latin-1")) == "\x1b[2Já\x9b\xff".encode("latin-1")
        line = Lines(ours).until("received from")
        assert r"\x1b[2J" in line and "\x1b" not in line
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("service, ids", [
    ("echo", "S0-P3, S1-P2, S4-P1, S0-P2"), ("stamp", "S2-P3, S2-P4, S2-P2"), ("reverse", "S3-P1, S3-P3"),
    ("list", "S3-P5"), ("count", "S4-P3")])
def test_another_edition_is_refused(service, ids):
    status, _, err = run("serve", service, "--seed-exact=S9-P9")
    assert status == 2
    assert f'{service} has no "S9-P9"; it has {ids}' in err
