# SPDX-License-Identifier: MIT
"""myriad connect: in pipes, with files, and at a terminal."""
import fcntl
import os
import select
import signal
import socket
import subprocess
import termios
import threading

import pytest
from conftest import DEADLINE, ENVIRONMENT, MYRIAD, engines, needs_editing, peer, read_all, run


def port_of(server):
    return server.address.rsplit(":", 1)[1]


@pytest.mark.parametrize("engine", engines())
def test_a_pipe_there_and_back(serve, engine):
    server = serve("echo", 0, "-e", engine)
    sent = os.urandom(3 << 20)
    done = subprocess.run([MYRIAD, "connect", port_of(server)], input=sent, capture_output=True, timeout=DEADLINE)
    assert done.stdout == sent                  # raw: nothing is escaped in a pipe
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_file_as_input(serve, tmp_path):
    server = serve("echo", 0)
    path = tmp_path / "file"
    path.write_bytes(b"line\n" * 300000)
    with open(path, "rb") as f:
        status, out, err = run("connect", port_of(server), stdin_file=f)
    assert (status, out, err) == (0, "line\n" * 300000, "")


def test_no_input(serve):
    assert run("connect", port_of(serve("daytime", 0)), stdin_file=subprocess.DEVNULL)[0] == 0
    assert run("connect", port_of(serve("echo", 0)), stdin_file=subprocess.DEVNULL)[:2] == (0, "")


def test_closed_standard_descriptors(serve):
    server = serve("echo", 0)
    command = f"exec {MYRIAD} connect {port_of(server)} 0<&- 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=DEADLINE).returncode == 0


def test_unix_endpoint(serve, tmp_path):
    server = serve("reverse", f"unix:{tmp_path}/s")
    assert run("connect", server.address, stdin=b"abc\n")[:2] == (0, "cba\n")


@pytest.mark.parametrize("eol, sent", [("lf", b"a\nb\r\nc"), ("crlf", b"a\r\nb\r\nc"), ("none", b"ab\rc")])
def test_line_ends(serve, eol, sent):
    done = subprocess.run([MYRIAD, "connect", port_of(serve("echo", 0)), "--eol", eol], input=b"a\nb\r\nc",
                          capture_output=True, timeout=DEADLINE)
    assert done.stdout == sent


def test_connection_refused():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))                # bound, and nobody listens
        port = s.getsockname()[1]
        assert run("connect", port) == (
            1, "", f"myriad connect: cannot connect to tcp:127.0.0.1:{port}: connection refused\n"
                   f"  try: a server there: myriad serve echo {port}\n")


def test_lost_connection():
    with socket.create_server(("127.0.0.1", 0)) as s:
        client = subprocess.Popen([MYRIAD, "connect", str(s.getsockname()[1])], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        peer, _ = s.accept()
        peer.sendall(b"x")
        assert client.stdout.read(1) == b"x"
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()                            # a reset
        said = client.communicate(timeout=DEADLINE)[1].decode()
        assert client.returncode == 1
        assert f"connection to tcp:127.0.0.1:{s.getsockname()[1]} lost: connection reset by peer" in said


def test_timeout():
    with socket.create_server(("127.0.0.1", 0)) as s:       # takes the connection and says nothing
        status, out, err = run("connect", s.getsockname()[1], "--timeout", "50ms")
        assert (status, out) == (1, "")
        assert "timed out" in err


def test_the_end_of_the_server_is_the_end(serve):
    """Standard input stays open: the peer's end is enough."""
    server = serve("time", 0)
    client = subprocess.Popen([MYRIAD, "connect", port_of(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert len(client.stdout.read()) == 4
    assert client.wait(DEADLINE) == 0
    client.stdin.close()


def test_a_reader_that_has_enough(serve):
    """... | head: nothing is wrong."""
    server = serve("chargen", 0)
    client = subprocess.Popen([MYRIAD, "connect", port_of(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    assert len(client.stdout.read(1000)) == 1000
    client.stdout.close()
    assert client.wait(DEADLINE) == 0
    assert client.stderr.read() == b""
    client.stdin.close()


def test_input_waits_for_a_slow_peer():
    """What the peer does not take stays in the pipe, not in our memory."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        client = subprocess.Popen([MYRIAD, "connect", str(s.getsockname()[1])], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL)
        peer, _ = s.accept()
        total, stuck = [0], threading.Event()
        block = b"x" * 65536
        os.set_blocking(client.stdin.fileno(), False)
        while select.select([], [client.stdin], [], 1)[1]:      # a second without room: it has stopped taking
            try:
                total[0] += os.write(client.stdin.fileno(), block)
            except BlockingIOError:
                pass
            assert total[0] < 64 << 20, "it takes everything"
        client.stdin.close()
        peer.settimeout(DEADLINE)
        assert len(read_all(peer)) == total[0]
        peer.close()
        assert client.wait(DEADLINE) == 0


# --- At a terminal --------------------------------------------------------------------------------

def test_a_session(serve, terminal):
    server = serve("reverse", 0)
    t = terminal("connect", port_of(server))
    t.until(f"connected to {server.address}; Ctrl-D ends\r\n")
    t.type(b"hello\n")
    t.until("olleh\r\n")
    t.type(b"\x04")
    assert t.process.wait(DEADLINE) == 0


def test_a_hostile_server_cannot_move_the_cursor(terminal):
    with socket.create_server(("127.0.0.1", 0)) as s:
        t = terminal("connect", s.getsockname()[1])
        peer, _ = s.accept()
        peer.sendall(b"\x1b[2Jcleared\x9b\x07\xc2\x9b \xe2\x80\xae\r\nh\xc3")
        peer.sendall(b"\xa9llo\n")
        peer.close()
        t.until("llo\r\n")
        shown = t.text.split("Ctrl-D ends\r\n")[1]
        assert shown.startswith("\\x1b[2Jcleared\\x9b\\x07\\u{9b} \\u{202e}\r\nhéllo\r\n")
        t.until("has ended the connection")
        assert t.process.wait(DEADLINE) == 0


def test_the_banner(terminal):
    t = terminal("serve", "echo", "0", ":0", "-e", "epoll")
    t.until("ready tcp::")
    t.until("\n")
    assert "echo: what comes in goes out" in t.text
    assert "this machine only" in t.text
    assert "OPEN on all addresses" in t.text
    assert "engine  epoll" in t.text
    assert "Ctrl-C" in t.text
    os.kill(t.process.pid, signal.SIGINT)
    t.until("stopped: 0 served")
    assert t.process.wait(DEADLINE) == 0


def test_the_banner_names_the_engine_that_was_taken(terminal):
    t = terminal("serve", "echo", "0")
    t.until("ready tcp:")
    assert f"engine  {engines()[0]}\r\n" in t.text or "engine  epoll; not io_uring: " in t.text


def test_a_terminal_that_goes_away_stops_the_server(terminal):
    t = terminal("serve", "echo", "0", preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    t.until("ready tcp:")
    os.close(t.master)                          # the hang-up
    t.master = os.open(os.devnull, os.O_RDONLY)
    assert t.process.wait(DEADLINE) == 0


# --- Lines that are edited -----------------------------------------------------------------------------

@needs_editing
def test_an_edited_session(serve, terminal):
    t = terminal("connect", port_of(serve("reverse", 0)), term="xterm")
    t.until("Ctrl-D ends\r\n", forget=True)
    t.type(b"hellp\x7fo\r")                    # a key back
    t.until("olleh\r\n", forget=True)
    t.type(b"\x1b[A!\r")                       # the line before, and more
    t.until("!olleh\r\n", forget=True)
    t.type("Olá €\r".encode())
    t.until("€ álO\r\n")
    t.type(b"\x04")
    assert t.process.wait(DEADLINE) == 0
    assert t.as_before()


@needs_editing
def test_what_comes_while_somebody_types_goes_above_the_line(terminal):
    with socket.create_server(("127.0.0.1", 0)) as s:
        t = terminal("connect", s.getsockname()[1], term="xterm")
        c, _ = s.accept()
        t.until("Ctrl-D ends\r\n")
        t.type(b"half a li")
        t.until("half a li", forget=True)
        c.sendall(b"news \x1b[2J\nlogin: ")
        t.until("news \\x1b[2J\r\n", forget=True)
        t.until("login: half a li", forget=True)        # what the server left open is the prompt
        t.type(b"ne\r")
        assert c.makefile("rb").readline() == b"half a line\n"
        c.close()
        t.until("has ended the connection")
        assert t.process.wait(DEADLINE) == 0
        assert t.as_before()


@needs_editing
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(serve, terminal, number):
    t = terminal("connect", port_of(serve("echo", 0)), term="xterm")
    t.until("Ctrl-D ends\r\n")
    while t.as_before():                        # the editor takes it when the connection is there
        assert t.process.poll() is None
    t.type(b"abc")
    t.until("abc")
    t.process.send_signal(number)
    assert t.process.wait(DEADLINE) == 130
    assert t.as_before()


# --- A connection for each message -----------------------------------------------------------------------

def answer_all(c):
    c.sendall(b"<" + read_all(c) + b">")


def test_a_connection_for_each_message():
    with peer(answer_all, clients=3) as port:
        status, out, err = run("connect", port, "--per-message", stdin=b"one\n\nthree")
    assert (status, out, err) == (0, "<one\n>\n<\n>\n<three\n>\n", "")     # an empty line hangs nobody


def test_a_long_answer_is_whole():
    with peer(lambda c: (read_all(c), c.sendall(b"x" * 300000))) as port:
        assert run("connect", port, "--per-message", stdin=b"LIST\n")[1] == "x" * 300000 + "\n"


def test_a_message_to_nobody():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        status, out, err = run("connect", s.getsockname()[1], "--per-message", stdin=b"a\nb\n")
    assert (status, out) == (1, "")
    assert err.count("connection refused") == 1


def test_a_message_without_an_answer():
    with socket.create_server(("127.0.0.1", 0)) as s:
        status, _, err = run("connect", s.getsockname()[1], "--per-message", "--timeout", "100ms", stdin=b"a\n")
    assert status == 1
    assert "timed out" in err


# --- The tutorials' clients, print for print -----------------------------------------------------------------

def echo_pieces(c):
    while data := c.recv(1024):
        c.sendall(data)


def exact(port, program, text, *more):
    status, out, err = run("connect", f"--seed-exact={program}", "127.0.0.1", port, *more, stdin=text)
    assert (status, err) == (0, "")
    return out


def test_exact_s0_p1():
    with peer(echo_pieces) as port:
        assert exact(port, "S0-P1", b"hello\nit's \"me\"\n\nnever sent\n") == (
            f"client: connected to ('127.0.0.1', {port}) \n"
            f"client: enter string to send>client: from ('127.0.0.1', {port}) received data=hello\n"
            f"client: enter string to send>client: from ('127.0.0.1', {port}) received data=it's \"me\"\n"
            f"client: enter string to send>client: shutting down connection to server ('127.0.0.1', {port})\n")


def test_exact_s0_p1_prints_the_name_as_given(serve):
    server = serve("echo", 0)
    out = run("connect", "--seed-exact", f"localhost:{port_of(server)}")[1]
    assert out.startswith(f"client: connected to ('localhost', {port_of(server)}) \n")


def test_exact_s1_p1():
    with peer(echo_pieces) as port:
        assert exact(port, "S1-P1", b"") == "Received b'Hello, world'\n"


def test_exact_s3_p2_keeps_its_connection():
    with peer(echo_pieces) as port:
        assert exact(port, "S3-P2", "Olá\nEXIT\n".encode()) == "Mensagem: Resposta: Olá\nMensagem: "


def test_exact_s3_p4_connects_for_each():
    with peer(lambda c: c.sendall(c.recv(1024)[::-1]), clients=2) as port:
        assert exact(port, "S3-P4", b"abc\ndef\nEXIT\n") == "Mensagem: Recebi: cba\nMensagem: Recebi: fed\nMensagem: "


def test_exact_answers_are_cut_at_1024_bytes_and_the_rest_is_the_next():
    with peer(lambda c: (c.recv(1), c.sendall(b"a" * 1024 + b"bc"), read_all(c))) as port:
        first, second = exact(port, "S3-P2", b"x\ny\nEXIT\n").removeprefix("Mensagem: ").split("\n")[:2]
    assert first == "Resposta: " + "a" * 1024
    assert second == "Mensagem: Resposta: bc"


def test_exact_at_a_terminal_is_escaped(terminal):
    with peer(lambda c: (c.recv(10), c.sendall(b"\x1b[2J"), read_all(c))) as port:
        t = terminal("connect", "--seed-exact", "127.0.0.1", port)
        t.until("client: enter string to send>")
        t.type(b"x\n")
        t.until("received data=\\x1b[2J\r\n")
        t.type(b"\n")
        t.until("client: shutting down connection to server")
        assert t.process.wait(DEADLINE) == 0


@needs_editing
def test_exact_with_editing(terminal):
    with peer(echo_pieces) as port:
        t = terminal("connect", "--seed-exact=S3-P2", "127.0.0.1", port, term="xterm")
        t.until("Mensagem: ")
        t.type(b"hellp\x7fo\r")
        t.until("Resposta: hello\r\n")
        t.type(b"EXIT\r")
        assert t.process.wait(DEADLINE) == 0
        assert t.as_before()


@pytest.mark.parametrize("args, status, said", [
    (["--seed-exact=S9-P9"], 2, 'unknown program "S9-P9"'),
    (["--seed-exact=S3-P4", "a", "b", "c"], 2, '"c" is not expected after "b"'),
    (["--seed-exact=S3-P4", "a", "99999"], 2, 'port "99999" is not a number from 1 to 65535'),
    (["--seed-exact", "--per-message"], 2, "S3-P4 connects for each message"),
    (["--seed-exact=S1-P1", "unix:/nowhere/s"], 1, "cannot connect to unix:/nowhere/s: no such file"),
], ids=str)
def test_exact_mistakes(args, status, said):
    got, out, err = run("connect", *args)
    assert (got, out) == (status, "")
    assert said in err


def test_an_echo_that_waits_for_its_answers_to_be_taken():
    """Both sides send much; neither may stop reading for good because its own output is full."""
    data = os.urandom(1 << 20) * 48
    with peer(echo_pieces) as port:
        done = subprocess.run([MYRIAD, "connect", str(port)], input=data, capture_output=True, timeout=4 * DEADLINE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data
