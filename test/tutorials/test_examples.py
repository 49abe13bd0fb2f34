# SPDX-License-Identifier: MIT
"""Every example does what its first lines say."""
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading

import pytest
from harness import (DEADLINE, ENGINES, EVENT, MYRIAD, TOGETHER, TOP, Program, read_all, read_exactly,
                     send_in_pieces, stage)       # noqa: F401

EXAMPLES = pathlib.Path(MYRIAD).resolve().parent / "examples"
SELECTORS = [e for e in EVENT if e != "io_uring"]


class Example(Program):
    def __init__(self, name, *args, listeners=1, **more):
        super().__init__([EXAMPLES / name, *args], **more)
        self.ports = []
        for _ in range(listeners):
            self.err.until(" on tcp:")
            self.ports.append(int(re.search(rb"[\d.]+:(\d+)", self.err.until(", "))[1]))


@pytest.fixture
def start(stage):               # noqa: F811
    return lambda *args, **more: stage.keep(Example(*args, **more))


def connect(program, listener=0):
    return socket.create_connection(("127.0.0.1", program.ports[listener]), timeout=DEADLINE)


def ask(program, request, listener=0):
    with connect(program, listener) as s:
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        return read_all(s)


def run(name, *args, stdin=b""):
    return subprocess.run([EXAMPLES / name, *map(str, args)], input=stdin, capture_output=True, timeout=DEADLINE)


def end(program):
    program.process.send_signal(signal.SIGTERM)
    assert program.wait() == 0, program.err.text()


def test_each_is_built_described_and_tested():
    sources = sorted(p.stem for p in (TOP / "examples").glob("[0-9]*.c"))
    told = (TOP / "examples" / "README.md").read_text()
    tested = pathlib.Path(__file__).read_text()
    for name in sources:
        assert os.access(EXAMPLES / name, os.X_OK), f"{name} is not built"
        assert f"**{name}" in told, f"{name} is not in examples/README.md"
        assert f'"{name}"' in tested or name.startswith(("01", "02")), f"{name} has no test"


def test_03_the_second_client_waits(start):
    server = start("03-second-client-waits", "0")
    with connect(server) as one, connect(server) as two:
        two.sendall(b"second")
        for _ in range(3):
            one.sendall(b"first")
            assert read_exactly(one, 5) == b"first"
        two.setblocking(False)
        with pytest.raises(BlockingIOError):
            two.recv(1)
        two.settimeout(DEADLINE)
        one.close()
        assert read_exactly(two, 6) == b"second"
    end(server)


@pytest.mark.parametrize("engine", TOGETHER)
def test_03_nobody_waits_under_another_engine(start, engine):
    server = start("03-second-client-waits", "0", engine)
    with connect(server) as one, connect(server) as two:
        for s in (two, one):
            s.sendall(b"hello")
            assert read_exactly(s, 5) == b"hello"
    end(server)


@pytest.mark.parametrize("engine", ENGINES)
def test_04_setup_handle_finish(start, engine):
    server = start("04-threaded-echo", "0", engine)
    assert ask(server, b"hel\x1blo") == b"hel\x1blo"
    server.err.until("terminating")
    end(server)
    log = server.err.text()
    assert log.index("accepted connection by") < log.index("received from") < log.index("terminating connection to")
    assert "\x1b" not in log


def test_05_partial_sends():
    done = run("05-partial-sends")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == [
        "send() was given 8388608 bytes and took a part", "in a loop: many more calls, all sent",
        "myr_write(): one call, the peer got 8388608 of 8388608"]


@pytest.mark.parametrize("selector", SELECTORS)
def test_06_write_interest_spins(selector):
    done = run("06-spinning-select", selector)
    assert done.returncode == 0
    assert re.findall(rb"(\d+) of (\d+)", done.stdout) == [(b"1000", b"1000"), (b"0", b"10"), (b"1", b"1")]


@pytest.mark.parametrize("selector", SELECTORS)
def test_07_multi_echo(start, selector):
    server = start("07-multi-echo-selector", "0", selector)
    clients = [connect(server) for _ in range(20)]
    big = os.urandom(200000)
    for i, s in enumerate(clients):
        s.sendall(b"I am %02d" % i)
    for i, s in reversed(list(enumerate(clients))):
        assert read_exactly(s, 7) == b"I am %02d" % i
    clients[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    clients[0].close()          # a reset
    sender = threading.Thread(target=clients[1].sendall, args=(big,))
    sender.start()
    assert read_exactly(clients[1], len(big)) == big
    sender.join()
    for s in clients[1:]:
        s.close()
    assert ask(server, b"still here") == b"still here"
    end(server)


@pytest.mark.parametrize("engine", ENGINES)
def test_08_two_ports(start, engine):
    server = start("08-two-ports", "tcp:127.0.0.1:0", "tcp:127.0.0.1:0", engine, listeners=2)
    assert ask(server, b"x", 0) == b"at the first door: x"
    assert ask(server, b"y", 1) == b"at the second door: y"
    end(server)


@pytest.mark.parametrize("engine", ENGINES)
def test_09_lost_list(engine):
    done = run("09-lost-list", engine, 30)
    plain = 1 if engine == "fork" else 30
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == \
        f"30 clients added one each: plain memory counts {plain}, shared memory counts 30\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_10_exit_typed_while_a_client_talks(start, engine):
    server = start("10-stdin-in-the-loop", "0", engine)
    with connect(server) as s:
        s.sendall(b"hello")
        assert read_exactly(s, 5) == b"hello"
        server.type("hello\n")
        server.err.until("type EXIT to end\n")
        server.type("EX")
        server.type("IT\n")
    assert server.process.wait(DEADLINE) == 0
    server.wait()


@pytest.mark.parametrize("engine", ENGINES)
def test_10_stdin_that_is_no_keyboard(start, engine):
    server = start("10-stdin-in-the-loop", "0", engine, stdin=subprocess.DEVNULL)
    assert ask(server, b"hello") == b"hello"
    end(server)


def test_11_persistent_client(start):
    server = start("03-second-client-waits", "0")
    long = "x" * 4000
    done = run("11-persistent-client", server.ports[0], stdin=f"ola\n\n{long}\nEXIT\n".encode())
    assert done.returncode == 0
    assert done.stdout.decode() == \
        f"Mensagem: Resposta: ola\nMensagem: Resposta: \nMensagem: Resposta: {long}\nMensagem: "
    end(server)


def test_11_persistent_client_says_what_is_wrong(start):
    server = start("03-second-client-waits", "0")
    port = server.ports[0]
    end(server)
    done = run("11-persistent-client", port, stdin=b"ola\n")
    assert done.returncode == 1 and b"refused" in done.stderr


def test_12_every_cut_one_result():
    done = run("12-split-prefix")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == [
        "cut in two: 12 of 12 ways give the payload", "byte by byte: the payload",
        "more than announced: only what was announced", "nothing announced: closed at once"]


@pytest.mark.parametrize("engine", ENGINES)
def test_12_over_a_socket(start, engine):
    server = start("12-split-prefix", "0", engine)
    with connect(server) as s:
        send_in_pieces(s, [b"1", b"0 12", b"34567890"])
        assert read_all(s) == b"1234567890"
    for bad in (b"-5 hello", b"+5 hello", b"05 hello", b" hello", b"5x hello", b"9" * 100):
        try:
            assert ask(server, bad) == b""
        except OSError:                 # it had closed before we had ended
            pass
    end(server)


@pytest.mark.parametrize("engine", ENGINES)
def test_13_state_of_one_and_of_all(start, engine):
    server = start("13-factory-state", "0", engine)
    assert ask(server, b"a\nb\n") == b"your line 1, line 1 of all\nyour line 2, line 2 of all\n"
    assert ask(server, b"c\n") == b"your line 1, line 3 of all\n"
    end(server)
