# SPDX-License-Identifier: MIT
"""myriad multi: many connections, by messages and by hand, against good servers and bad ones."""
import contextlib
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess

import pytest
from conftest import (DEADLINE, ENVIRONMENT, MYRIAD, engines, needs_editing, needs_json, peer, read_all,
                      read_exactly, run)

LOOPS = [e for e in engines() if e in ("io_uring", "epoll", "poll", "select")]
M1, M2 = "Message 1 from client.", "Message 2 from client."


def port_of(server):
    return server.address.rsplit(":", 1)[1]


def echo(c):
    while data := c.recv(1024):
        c.sendall(data)


def reset(c):
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(c):
    read_all(c)


def early(c):
    c.sendall(c.recv(3, socket.MSG_WAITALL))
    c.shutdown(socket.SHUT_WR)
    read_all(c)


def pieces(c):
    """Byte by byte, the next only when the client has had time to be told of the one before."""
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in read_exactly(c, 6):
        c.sendall(bytes([byte]))
    read_all(c)


def free_port():
    """A port where nobody listens: it stays bound as long as the socket is kept."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s, s.getsockname()[1]


# --- Messages -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("engine", LOOPS)
def test_each_says_all_and_hears_all(serve, engine):
    status, out, err = run("multi", port_of(serve("echo", 0)), "-c", 3, "-m", "hello", "-m", "you", "-e", engine)
    assert status == 0
    assert sorted(re.sub(r" <- \d+\.\d ms$", "", line) for line in out.splitlines()) == [
        f"[{n}] {word}" for n in (1, 2, 3) for word in ("hello", "you")]
    assert err.startswith("[*] 3 connections: 3 ok, 0 failed; 30 bytes sent, 30 bytes received in ")


@pytest.mark.parametrize("engine", LOOPS)
def test_an_answer_in_pieces(engine):
    with peer(pieces, clients=2, at_once=True) as port:
        status, _, err = run("multi", port, "-c", 2, "-m", "hello", "-e", engine)
    assert status == 0
    assert "2 ok, 0 failed; 12 bytes sent, 12 bytes received" in err


def test_expect_until_the_end(serve):
    status, out, err = run("multi", port_of(serve("daytime", 0)), "-c", 4, "--expect", "eof")
    assert (status, out.count("UTC")) == (0, 4)
    assert "4 ok, 0 failed" in err


def test_expect_a_number(serve):
    status, _, err = run("multi", port_of(serve("chargen", 0)), "--expect", "10k", "-q")
    assert (status, err) == (0, "")


@pytest.mark.parametrize("bad, why, said", [
    (reset, "connection reset by peer", "connection 1: connection reset by peer after 0 bytes"),
    (silent, "connection timed out", "connection 1: connection timed out after 0 bytes"),
    (early, "the server ended too early", "connection 1: the server ended after 3 bytes; 6 were expected"),
], ids=lambda v: v.__name__ if callable(v) else "")
@pytest.mark.parametrize("engine", LOOPS)
def test_bad_servers_are_named(bad, why, said, engine):
    with peer(bad, clients=3, at_once=True) as port:
        status, _, err = run("multi", port, "-c", 3, "-m", "hello", "--timeout", "400ms", "-e", engine)
    assert status == 1
    assert said in err
    assert "[*] 3 connections: 0 ok, 3 failed" in err
    assert f"    3 failed: {why}\n" in err


def test_some_fail():
    turn = iter([echo, reset, echo, reset])
    with peer(lambda c: next(turn)(c), clients=4) as port:
        status, _, err = run("multi", port, "-c", 4, "-m", "hello")
    assert status == 4
    assert "[*] 4 connections: 2 ok, 2 failed" in err


def test_nobody_there():
    s, port = free_port()
    with s:
        status, out, err = run("multi", port, "-c", 30, "-m", "hello")
    assert (status, out) == (1, "")
    lines = err.splitlines()
    assert lines[0] == f"myriad multi: connection 1: cannot connect to {port}: connection refused"
    assert lines[10] == "  (other failures are only counted)"
    assert lines[12] == "    30 failed: connection refused"


def test_a_server_that_talks_to_the_terminal_is_escaped():
    def hostile(c):
        c.recv(1)
        c.sendall(b"\x1b[2Ja\r\nb\xff\0\n" + b"x" * 3000 + b"\n")
    with peer(hostile) as port:
        _, out, _ = run("multi", port, "-c", 1, "-m", "x", "--expect", 3000)
    assert "\x1b" not in out and "\0" not in out
    assert out.startswith("[1] \\x1b[2Ja <- ")
    assert "[1] b\\xff\\x00 <- " in out


@needs_json
def test_a_report():
    turn = iter([echo, reset, echo])
    with peer(lambda c: next(turn)(c), clients=3) as port:
        status, out, err = run("multi", port, "-c", 3, "-m", "hello", "--json")
    report = json.loads(out)
    latency = report.pop("latency_ms")
    assert report.pop("seconds") > 0
    assert report == {"endpoint": str(port), "connections": 3, "ok": 2, "failed": 1,
                      "reasons": {"connection reset by peer": 1}, "bytes": {"sent": 18, "received": 12}}
    assert 0 < latency["min"] <= latency["median"] <= latency["p99"] <= latency["max"]
    assert status == 4


@needs_json
def test_a_report_of_nothing():
    s, port = free_port()
    with s:
        _, out, _ = run("multi", port, "-c", 2, "-m", "x", "--json")
    assert json.loads(out)["latency_ms"] is None
    status, out, _ = run("multi", b"\xff\x1b.invalid:1".decode(errors="surrogateescape"), "-m", "x", "--json")
    assert status != 0


def test_a_unix_socket_with_a_full_backlog(tmp_path):
    """Nobody but us tries again there."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "s"))
        s.listen(1)
        client = subprocess.Popen([MYRIAD, "multi", f"unix:{tmp_path}/s", "-c", "20", "-m", "hello", "-q"],
                                  env=ENVIRONMENT, stderr=subprocess.PIPE)
        for _ in range(20):
            c, _ = s.accept()
            with c:
                c.sendall(read_exactly(c, 6))
        assert client.communicate(timeout=DEADLINE)[1] == b""
        assert client.returncode == 0


def test_a_backlog_that_runs_over_loses_nobody():
    """The kernel tries again, a second later: that is slow, and no failure."""
    with peer(echo, clients=100, backlog=16) as port:
        status, _, err = run("multi", port, "-c", 100, "-m", "hello", "-q")
    assert (status, err) == (0, "")


def test_stagger():
    with peer(echo, clients=3) as port:
        status, _, err = run("multi", port, "-c", 3, "-m", "hello", "--stagger", "20ms")
    assert status == 0
    assert float(re.search(r"in (\d+\.\d+) s", err)[1]) >= 0.04


@pytest.mark.parametrize("engine", [e for e in LOOPS if e != "select"])
def test_nine_thousand_at_once(serve, engine):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 9500:
        pytest.skip("fewer descriptors than that")
    server = serve("echo", 0, "--max-conns-per-peer", "none", "-e", "epoll")
    # All are open before the first line is read, and each gets it.
    status, out, err = run("multi", port_of(server), "-c", 9000, "-e", engine, stdin=b"@all hello\n")
    assert (status, err) == (0, "")
    assert "[*] 9,000 open, 0 failed\n" in out
    assert sum(" hello <- " in line for line in out.splitlines()) == 9000
    assert server.stop() == (0, "stopped: 9,000 served, 0 cut") or server.wait() == 0


def test_the_limit_of_open_files_is_raised_or_told(serve):
    def limit(soft, hard):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    port = port_of(serve("echo", 0))
    assert run("multi", port, "-c", 300, "-m", "x", "-q", preexec_fn=limit(64, 400))[::2] == (0, "")
    status, out, err = run("multi", port, "-c", 300, "-m", "x", preexec_fn=limit(64, 200))
    assert (status, out) == (1, "")
    assert err == ("myriad multi: 300 connections need 332 open files, and the limit is 200\n"
                   "  try: -c 168, or a higher limit: ulimit -Hn 332\n")


def test_interrupted():
    with peer(silent, clients=2, at_once=True) as port:
        client = subprocess.Popen([MYRIAD, "multi", str(port), "-m", "hello"], env=ENVIRONMENT,
                                  stderr=subprocess.PIPE)
        while len(os.listdir(f"/proc/{client.pid}/fd")) < 5:
            assert client.poll() is None
        client.send_signal(signal.SIGINT)
        err = client.communicate(timeout=DEADLINE)[1].decode()
        status = client.returncode
        with contextlib.suppress(OSError):      # it may have ended before both had been accepted
            for _ in range(2):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
    if status != -signal.SIGINT:                # it came before there was a loop to stop
        assert (status, "2 failed: interrupted" in err) == (130, True)


@pytest.mark.parametrize("args, status, said", [
    ([], 2, "connect to what?"),
    (["1", "2"], 2, '"2" is not expected after "1"'),
    (["70000", "-m", "x"], 2, 'port "70000" is out of range'),
    (["1", "-c", "0"], 2, '--connections: "0" is out of range (1 to 1,000,000)'),
    (["1", "-m", "x", "-e", "epol"], 2, "epol"),
    (["1", "-m", "x", "--timeout", "0s"], 2, "out of range"),
    (["1", "--seed-exact=S1-P4"], 2, 'unknown program "S1-P4". Did you mean "S1-P3"?'),
    (["--seed-exact", "a", "1", "x"], 2, '"x" is not a number of connections'),
    (["--seed-exact", "a", "0", "1"], 2, 'port "0" is not a number from 1 to 65535'),
], ids=str)
def test_mistakes(args, status, said):
    got, out, err = run("multi", *args)
    assert (got, out) == (status, "")
    assert said in err


# --- The prompt -------------------------------------------------------------------------------------------

def lines(out):
    return [re.sub(r" <- \d+\.\d ms$", " <-", line) for line in out.splitlines()]


def test_typed_through_a_pipe(serve):
    status, out, err = run("multi", port_of(serve("reverse", 0)), "-c", 3,
                           stdin=b"abc\n@all def\n@2 ghi\n#3\njkl\n#list\n@4 x\n#2 x\n#zz\n@x y\nlast without end")
    assert (status, err) == (0, "")
    shown = lines(out)
    for line in ("[1] cba <-", "[1] fed <-", "[2] fed <-", "[3] fed <-", "[2] ihg <-", "[3] lkj <-",
                 "[3] dne tuohtiw tsal <-", "[1] open, 0 bytes received"):
        assert shown.count(line) == 1, line
    assert shown.count("[?] no such connection; there are 1 to 3, and all   (#help shows more)") == 3
    assert shown.count('[?] after # there is a number, and perhaps "close"   (#help shows more)') == 1
    assert shown[0] == "[*] 3 open, 0 failed"
    assert shown.count("[2] closed") == 1


def test_a_line_that_is_too_long(serve):
    status, _, err = run("multi", port_of(serve("echo", 0)), "-c", 1, stdin=b"x" * 70000)
    assert "a line of standard input is longer than 65535 bytes" in err
    assert status == 0


def test_those_who_stay_after_the_end_of_input_are_cut():
    with socket.create_server(("127.0.0.1", 0)) as s:
        status, out, _ = run("multi", s.getsockname()[1], "-c", 2, "--timeout", "100ms", stdin=b"")
    assert status == 1
    assert "[1] lost: connection timed out" in out


def at_the_prompt(t, newline):
    t.until("[*] 3 open, 0 failed")
    t.until("1> ", forget=True)
    t.type(b"HELLO" + newline)
    t.until("[1] OLLEH <- ")
    t.until(" ms\r\n")
    t.until("1> ", forget=True)
    t.type(b"#2" + newline)
    t.until("2> ", forget=True)
    t.type(b"abc" + newline)
    t.until("[2] cba <- ")
    t.until("2> ", forget=True)
    t.type(b"#2 close" + newline)
    t.until("[2] closed")
    t.until("[*] 2 open, 0 failed", forget=True)
    t.until("2> ", forget=True)
    t.type(b"x" + newline)
    t.until("[2] is closed")
    t.until("2> ")
    t.type(b"\x04")
    assert t.process.wait(DEADLINE) == 0
    assert t.as_before()


def test_at_a_terminal(serve, terminal):
    at_the_prompt(terminal("multi", port_of(serve("reverse", 0)), "-c", 3), b"\n")


@needs_editing
def test_at_a_terminal_with_editing(serve, terminal):
    at_the_prompt(terminal("multi", port_of(serve("reverse", 0)), "-c", 3, term="xterm"), b"\r")


@needs_editing
def test_ctrl_c_at_the_prompt(serve, terminal):
    t = terminal("multi", port_of(serve("reverse", 0)), "-c", 3, term="xterm")
    t.until("1> ")
    while t.as_before():
        assert t.process.poll() is None
    t.process.send_signal(signal.SIGINT)
    assert t.process.wait(DEADLINE) == 130
    assert t.as_before()


# --- The tutorials' clients, print for print -----------------------------------------------------------------

def test_exact_t1():
    assert run("multi", "--seed-exact") == (2, "Usage: multiconn-client.py <host> <port> <num_connections>\n", "")
    assert run("multi", "--seed-exact", "127.0.0.1")[1:] == (
        "Usage: multiconn-client.py <host> <port> <num_connections>\n", "")


def t3(port, coalesced):
    """The transcript; what each connection received, in one piece or in two."""
    received = [f"Received b'{M1}{M2}' from connection %d"] if coalesced else [
        f"Received b'{M1}' from connection %d", f"Received b'{M2}' from connection %d"]
    start = [f"Starting connection {n} to ('127.0.0.1', {port})" for n in (1, 2)]
    return start, [[f"Sending b'{M1}' to connection {n}", f"Sending b'{M2}' to connection {n}",
                    *(line % n for line in received), f"Closing connection {n}"] for n in (1, 2)]


def check_t3(out, port, coalesced):
    shown = out.splitlines()
    start, each = t3(port, coalesced)
    assert shown[:2] == start
    for n in (1, 2):                            # which of them comes first is the network's affair
        assert [line for line in shown[2:] if line.rstrip(".").endswith(f"connection {n}")] == each[n - 1]
    assert len(shown) == 2 + sum(map(len, each))


@pytest.mark.parametrize("engine", LOOPS)
def test_exact_t3_coalesced(engine):
    with peer(lambda c: (c.sendall(read_exactly(c, 44)), read_all(c)), clients=2) as port:
        status, out, err = run("multi", "--seed-exact", "127.0.0.1", port, 2, "-e", engine)
    assert (status, err) == (0, "")
    check_t3(out, port, coalesced=True)


@pytest.mark.parametrize("engine", LOOPS)
def test_exact_t3_split(engine):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
        client = subprocess.Popen([MYRIAD, "multi", "--seed-exact", "127.0.0.1", str(port), "2", "-e", engine],
                                  stdout=subprocess.PIPE, env=ENVIRONMENT, text=True)
        out = ""
        for _ in range(2):
            c, _ = s.accept()
            with c:
                data = read_exactly(c, 44)
                c.sendall(data[:22])
                while True:                     # the second half leaves when the first has been printed
                    line = client.stdout.readline()
                    out += line
                    if line.startswith(f"Received b'{M1}'"):
                        break
                c.sendall(data[22:])
                assert c.recv(1) == b""         # the client closes: it has counted 44 bytes
        out += client.stdout.read()
        assert client.wait(DEADLINE) == 0
        client.stdout.close()
    check_t3(out, port, coalesced=False)


def test_exact_t3_sends_its_two_messages_and_closes_by_count():
    seen = []
    with peer(lambda c: (seen.append(read_exactly(c, 44)), c.sendall(seen[0]), seen.append(c.recv(1)))) as port:
        run("multi", "--seed-exact", "127.0.0.1", port, 1)
    assert seen == [(M1 + M2).encode(), b""]


def test_exact_t3_server_closes_first():
    with peer(lambda c: c.recv(44, socket.MSG_WAITALL)) as port:
        _, out, _ = run("multi", "--seed-exact", "127.0.0.1", port, 1)
    assert out.splitlines()[-1] == "Closing connection 1"


def test_exact_failure_is_the_exception():
    s, port = free_port()
    with s:
        status, out, err = run("multi", "--seed-exact", "127.0.0.1", port, 2)
    assert (status, err) == (1, "ConnectionRefusedError: [Errno 111] Connection refused\n")
    assert out.count("Starting connection") == 2


def test_exact_t4():
    """A server that takes one after the other, and loses three."""
    turn = iter(range(20))
    lost = (11, 13, 18)

    def one_at_a_time(c):
        if next(turn) in lost:
            return reset(c)
        c.sendall(b"Resposta => " + c.recv(1024))
        read_all(c)
    with peer(one_at_a_time, clients=20, backlog=64) as port:
        status, out, err = run("multi", "--seed-exact=S2-P1", port)
    first, *rest = out.splitlines()
    assert first == "Geramos todos os clientes!"
    assert len(rest) == 17
    ids = {int(re.fullmatch(r"Cliente (\d+) recebeu: b'Resposta => Ola mundo da internet!'", line)[1]) for line in rest}
    assert len(ids) == 17 and ids < set(range(20))
    assert err == "ConnectionResetError: [Errno 104] Connection reset by peer\n" * 3
    assert status == 4


def test_exact_t5():
    when = "Sat Jul 22 18:43:57 2017"

    def stamp(c):
        c.sendall(f"Resposta eco => {c.recv(1024)} as {when}".encode())
        read_all(c)
    with peer(stamp, clients=20, at_once=True) as port:
        status, out, err = run("multi", "--seed-exact=S2-P1", "127.0.0.1", port)
    assert (status, err) == (0, "")
    first, *rest = out.splitlines()
    assert first == "Geramos todos os clientes!"
    assert sorted(rest) == sorted(
        f"""Cliente {n} recebeu: b"Resposta eco => b'Ola mundo da internet!' as {when}\"""" for n in range(20))


def test_exact_s2_server_that_says_nothing():
    with peer(lambda c: c.recv(1024), clients=2) as port:
        status, out, err = run("multi", "--seed-exact=S2-P1", port, "-c", 2)
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()[1:]) == ["Cliente 0 recebeu: b''", "Cliente 1 recebeu: b''"]
