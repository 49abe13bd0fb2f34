# SPDX-License-Identifier: MIT
"""Every program of the tutorials against every other side of it: theirs and ours, under every engine.

WHO serves: the tutorial's own program, or our exact edition under an engine.  Both must print the golden text and put
the same bytes on the wire.  The golden files are written as on a screen; ports, times and ids are any.
"""
import re
import time

import pytest
from harness import ENGINES, TOGETHER, answered, by_connection, golden, plain, read_all, read_exactly, stage   # noqa: F401

WHO = ["python", *ENGINES]
WHO_TOGETHER = ["python", *TOGETHER]
CLIENTS = ["python", "ours"]


def serve(stage, who, service, id_, *args, **more):
    if who == "python":
        return stage.tutorial_server(id_.lower().replace("-", "_"), **more)
    return stage.exact(service, id_, *args, engine=who, **more)


def multiconn_server(stage, who):
    if who == "python":
        return stage.tutorial_server("s1_p2", "127.0.0.1", "0")
    return stage.exact("echo", "S1-P2", engine=who)


def connect(stage, who, id_, port):
    if who == "python":
        return stage.tutorial(id_.lower().replace("-", "_"), port=port)
    return stage.command("connect", f"tcp:{'localhost' if id_ == 'S0-P1' else '127.0.0.1'}:{port}",
                         f"--seed-exact={id_}")


def talk(client, prompt, *typed):
    """Type each line when the prompt is there; returns the whole screen."""
    for line in typed:
        client.out.until(prompt)
        client.type(line + "\n")
    assert client.wait() == 0, client.err.text()
    return client.out.text()


def screen(server):
    server.interrupt()
    return plain(server.out.text())


# --- S0 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("who", WHO)
def test_s0_p1_client_with_threaded_echo(stage, who, client):
    server = serve(stage, who, "echo", "S0-P3")
    shown = talk(connect(stage, client, "S0-P1", server.port), "to send>", "first", "second one", "")
    assert plain(shown) == plain(golden("S0-P1"))
    server.out.until("terminating")
    assert screen(server) == plain("""server: starting
server@Thread-1: accepted connection by ('127.0.0.1', 1)
server@Thread-1: received from ('127.0.0.1', 1) data first
server@Thread-1: received from ('127.0.0.1', 1) data second one
server@Thread-1: terminating connection to ('127.0.0.1', 1)

Keyborad Interrupt detected
server: shut down
""")


@pytest.mark.parametrize("who", WHO_TOGETHER)
def test_s0_p3_two_clients_at_once(stage, who):
    server = serve(stage, who, "echo", "S0-P3")
    with server.connect() as one:
        one.sendall(b"first")
        assert read_exactly(one, 5) == b"first"
        with server.connect() as two:
            two.sendall(b"other")
            assert read_exactly(two, 5) == b"other"
            one.sendall(b"second one")
            assert read_exactly(one, 10) == b"second one"
        server.out.until("terminating")
    server.out.until("terminating")
    assert screen(server) == plain(golden("S0-P3"))


@pytest.mark.parametrize("who", ["python", "iterative"])
def test_s0_p2_serves_in_the_order_of_asking(stage, who):
    server = serve(stage, who, "echo", "S0-P2")
    clients = []
    for i in range(4):              # connected one after the other, so the kernel's queue is in this order
        clients.append(server.connect())
        clients[-1].sendall(b"I am %d" % i)
    for i, one in enumerate(clients):
        assert read_exactly(one, 6) == b"I am %d" % i
        for other in clients[i + 1:]:
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.recv(1)
            other.setblocking(True)
        one.close()


# --- S1 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("who", WHO)
def test_s1_p1_plain_client(stage, who, client):
    server = multiconn_server(stage, who)
    if client == "python":
        program = stage.tutorial("s1_p1", port=server.port)
    else:
        program = stage.command("connect", f"tcp:127.0.0.1:{server.port}", "--seed-exact=S1-P1")
    assert program.wait() == 0
    assert program.out.text() == "Received b'Hello, world'\n"
    server.out.until("Closing")
    assert screen(server) == plain("""Listening on ('127.0.0.1', 1)
Accepted connection from ('127.0.0.1', 2)
Echoing b'Hello, world' to ('127.0.0.1', 2)
Closing connection to ('127.0.0.1', 2)
Caught keyboard interrupt, exiting
""")


def test_t1_usage(stage):
    server = stage.tutorial("s1_p2", port=0)
    assert server.wait() == 1 and server.out.text() == golden("T1-server")
    client = stage.tutorial("s1_p3", port=0)
    assert client.wait() == 1 and client.out.text() == golden("T1-client")
    ours = stage.command("multi", "--seed-exact")
    assert ours.wait() != 0 and ours.out.text() == golden("T1-client")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("who", WHO)
def test_t2_t3_two_connections(stage, who, client):
    server = multiconn_server(stage, who)
    if client == "python":
        program = stage.tutorial("s1_p3", "127.0.0.1", server.port, 2, port=0)
    else:
        program = stage.command("multi", "127.0.0.1", server.port, 2, "--seed-exact")
    assert program.wait() == 0, program.err.text()
    names = r"^(\w+) .*connection (\d)$"        # a reply may come before the second message has left
    shown = plain(program.out.text()).splitlines()
    assert by_connection(shown, names) == by_connection(plain(golden("T3")).splitlines(), names)
    for one in "12":
        own = [line for line in shown if f"connection {one}" in line]
        assert own[0].startswith("Starting") and own[-1] == f"Closing connection {one}"

    server.out.count("Closing", 2)
    names = r"(?:from|to) \('127\.0\.0\.1', (<port\d>)\)"
    shown = screen(server).splitlines()
    assert shown.pop() == "Caught keyboard interrupt, exiting"
    assert by_connection(shown, names) == by_connection(plain(golden("T2")).splitlines(), names)


# --- S2 ------------------------------------------------------------------------------------------

def twenty(stage, who, port):
    if who == "python":
        return stage.tutorial("s2_p1", port=port, env={"TUTORIAL_HOST": "127.0.0.1"})
    return stage.command("multi", f"tcp:127.0.0.1:{port}", "--seed-exact=S2-P1")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("who", ["python", "iterative"])
def test_t4_twenty_clients_of_one_who_serves_one(stage, who, client):
    """Each is answered or is reset; how many are, the kernel's queue decides."""
    server = serve(stage, who, "stamp", "S2-P2")
    program = twenty(stage, client, server.port)
    program.wait()
    shown = program.out.text()
    assert "Geramos todos os clientes!" in shown        # its newline may come later, see T5
    if client == "ours":
        assert shown.startswith(golden("T4").splitlines()[0] + "\n")
    replies = answered(shown)
    failed = (shown + program.err.text()).count("ConnectionResetError: [Errno 104] Connection reset by peer")
    assert set(replies.values()) == {b"Resposta => Ola mundo da internet!"}
    assert set(replies) <= set(range(20)) and len(replies) + failed == 20


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("who", WHO_TOGETHER)
def test_t5_twenty_clients_wait_together(stage, who, client):
    if who == "python":
        server = stage.tutorial_server("s2_p3", env={"TUTORIAL_DELAY": "1"})
    else:
        server = stage.exact("stamp", "S2-P3", "--delay", "1s", engine=who)
    begin = time.monotonic()
    program = twenty(stage, client, server.port)
    assert program.wait() == 0, program.err.text()
    assert time.monotonic() - begin < 15, "they waited one after the other: that takes twenty seconds"
    replies = answered(program.out.text())
    assert set(replies) == set(range(20))
    assert {plain(r.decode()) for r in replies.values()} == {"Resposta eco => b'Ola mundo da internet!' as <ctime>"}
    server.out.count("\n", 20)
    shown = screen(server)
    if who == "python":         # its threads print in pieces, into each other's lines
        assert shown.count("<ctime>") == 20 and len(set(re.findall(r"<port\d+>", shown))) == 20
        return
    assert sorted(shown.splitlines()) == sorted(f"('127.0.0.1', <port{i}>) <ctime>" for i in range(1, 21))


def test_t4_t5_are_read_as_the_tutorial_shows_them():
    """The reader of twenty clients' output understands the tutorial's own screens, glued lines and all."""
    assert sorted(answered(golden("T4"))) == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 15, 16, 17, 19]
    assert golden("T4").count("ConnectionResetError: [Errno 104]") == 3
    assert sorted(answered(golden("T5"))) == list(range(10))


@pytest.mark.parametrize("who", WHO_TOGETHER)
def test_s2_p4_two_ports_one_loop(stage, who):
    server = serve(stage, who, "stamp", "S2-P4", listeners=2)
    with server.connect(0) as one:
        one.sendall(b"Ola mundo da internet!")
        assert plain(one.recv(1024).decode()) == "Resposta eco => b'Ola mundo da internet!' as <ctime>"
        server.out.until("Recebeu b'Ola mundo da internet!'")
        with server.connect(1) as two:
            two.sendall(b"it's")
            assert plain(two.recv(1024).decode()) == "Resposta eco => b\"it's\" as <ctime>"
            server.out.until("Recebeu b\"it's\"")
            one.close()
            server.out.until("Recebeu b''")
    server.out.until("Recebeu b''")
    server.out.until("\n")
    assert screen(server) == plain(golden("S2-P4"))


# --- S3 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("who", WHO)
def test_s3_p2_client_with_select_server(stage, who, client):
    server = serve(stage, who, "reverse", "S3-P1")
    for _ in range(2):
        shown = talk(connect(stage, client, "S3-P2", server.port), "Mensagem: ", "topos", "Olá", "EXIT")
        assert shown == golden("S3-P2")
    server.out.count("Cliente fechou ligação\n", 2)
    assert sorted(screen(server).splitlines()) == sorted(plain(golden("S3-P1")).splitlines())


@pytest.mark.parametrize("who", WHO)
def test_s3_p3_one_exchange_by_bytes(stage, who):
    server = serve(stage, who, "reverse", "S3-P3")
    with server.connect() as s:
        s.sendall("Olá".encode())
        assert read_all(s) == b"\xa1\xc3lO"         # the server ends it, not we
    assert screen(server) == plain(golden("S3-P3"))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("who", WHO)
def test_s3_p4_with_one_shot_server(stage, who, client):
    server = serve(stage, who, "reverse", "S3-P3")
    shown = talk(connect(stage, client, "S3-P4", server.port), "Mensagem: ", "topos", "abc", "EXIT")
    assert shown == "Mensagem: Recebi: sopot\nMensagem: Recebi: cba\nMensagem: "
    assert screen(server) == "ligado a  ('127.0.0.1', <port1>)\nb'topos'\nligado a  ('127.0.0.1', <port2>)\nb'abc'\n"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("who", WHO)
def test_s3_exercise_1_s3_p4_and_s3_p5_list(stage, who, client):
    server = serve(stage, who, "list", "S3-P5")
    shown = talk(connect(stage, client, "S3-P4", server.port), "Mensagem: ",
                 "ola", "it's", "LIST", "CLEAR", "list", "LIST", "EXIT")
    assert shown == golden("S3-P4")
    assert screen(server) == golden("S3-P5")


@pytest.mark.parametrize("who", WHO)
def test_s3_p5_replies_of_the_catalogue(stage, who):
    server = serve(stage, who, "list", "S3-P5")

    def ask(text):
        with server.connect() as s:
            s.sendall(text.encode())
            return read_all(s).decode()
    assert ask("LIST") == "[]"
    assert [ask(item) for item in ("ola", "it's", "Olá\n")] == ["Ack"] * 3
    assert ask("LIST") == r"""['ola', "it's", 'Olá\n']"""
    assert ask("CLEAR") == "Lista apagada"
    assert ask("LIST") == "[]"


# --- S4 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("who", WHO)
def test_s4_p1_prints_to_the_log(stage, who):
    server = serve(stage, who, "echo", "S4-P1")
    with server.connect() as s:
        for text in (b"first", b"second one"):
            s.sendall(text)
            assert read_exactly(s, len(text)) == text
    assert screen(server) == golden("S4-P1")


@pytest.mark.parametrize("who", WHO)
def test_s4_p3_prefix_in_two_reads(stage, who):
    server = serve(stage, who, "count", "S4-P3")
    with server.connect() as s:
        for piece, told in [(b"10", "total received=2"), (b" 12", "total sent=2"), (b"34567890", "total sent=10")]:
            s.sendall(piece)
            server.out.until(told)
        assert read_all(s) == b"1234567890"
    assert screen(server) == golden("S4-P3")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("payload", [b"x", b"hello, world\n", bytes(range(256)) * 300], ids=["1", "13", "76800"])
def test_s4_p4_gets_its_payload_back(stage, who, client, payload):
    server = serve(stage, who, "count", "S4-P3")
    if client == "python":
        program = stage.tutorial("s4_p4", "127.0.0.1", server.port, port=0)
    else:
        program = stage.command("send", f"tcp:127.0.0.1:{server.port}", "-")
    program.type(payload)
    assert program.wait() == 0, program.err.text()
    assert program.out.data == payload
