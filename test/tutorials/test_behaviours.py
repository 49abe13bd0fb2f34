# SPDX-License-Identifier: MIT
"""What the tutorials teach (B1 to B30), as far as it is not in the other files here.

B1 B17 B19 B24 B25 B28: test_pairs.py.  B3 B9 B15 B16 B18 B21: measured by bench/, chosen with -e.
B5 B7 B10 B11 B12 B13 B22 B29: test_examples.py, and test/io for the selectors.  B23 B26: test_exercises.py.
"""
import re

import pytest
from harness import ENGINES, MYRIAD, TOGETHER, Server, read_exactly, stage       # noqa: F401

every_engine = pytest.mark.parametrize("engine", ENGINES)
several_at_once = pytest.mark.parametrize("engine", TOGETHER)


@several_at_once
def test_b06_each_connection_has_a_name_in_the_log(stage, engine):
    server = stage.exact("echo", "S0-P3", engine=engine)
    clients = [server.connect() for _ in range(5)]
    for s in clients:
        s.sendall(b"x")
        assert read_exactly(s, 1) == b"x"
    server.out.count("data x\n", 5)
    names = re.findall(r"server@(Thread-\d+): received", server.out.text())
    assert sorted(names) == [f"Thread-{i}" for i in range(1, 6)]
    for s in clients:
        s.close()


@several_at_once
def test_b09_one_slow_client_stops_nobody(stage, engine):
    """A handler that waits, waits alone: the blocking style keeps its promise on every engine."""
    server = stage.serve("stamp", "--delay", "1h", "--drain-timeout", "50ms", engine=engine)
    slow = [server.connect() for _ in range(3)]
    for s in slow:
        s.sendall(b"hello\n")
    echo = stage.serve("echo", engine=engine)
    assert echo.ask(b"hello") == b"hello"
    stuck = server.connect()            # is accepted although three others are being waited for
    stuck.sendall(b"hello\n")
    for s in [*slow, stuck]:
        s.setblocking(False)
        with pytest.raises(BlockingIOError):
            s.recv(1)
        s.close()


@every_engine
def test_b14_a_client_that_asks_nothing_is_let_go(stage, engine):
    server = stage.serve("echo", "--open-timeout", "50ms", engine=engine)
    with server.connect() as s:
        try:
            assert s.recv(1) == b""
        except ConnectionError:
            pass
    assert server.ask(b"hello") == b"hello"


def test_b20_one_connection_or_one_for_each_message(stage):
    for option, connections in (["--per-message"], 3), ([], 1):
        server = stage.serve("list")
        client = stage.command("connect", f"tcp:127.0.0.1:{server.port}", *option)
        client.type("a\nb\nLIST\n")
        client.out.until("['a', 'b']")
        assert client.wait() == 0
        assert server.interrupt() == 0
        assert f"stopped: {connections} served" in server.err.text()


@every_engine
def test_b30_an_application_under_the_launcher(stage, engine, tmp_path):
    source = tmp_path / "hello.c"
    source.write_text('''#include <myriad.h>
static size_t echo(struct myr_conn *c, const void *p, size_t n) { myr_write(c, p, n); return n; }
static const struct myr_service service = { .name = "hello", .on_data = echo };
MYR_APP("hello", "a first application", &service, "tcp::7000");
''')
    server = stage.keep(Server([MYRIAD, "run", source, "0", "-n", "-e", engine], ready="out"))
    assert server.ask(b"hello") == b"hello"
    assert server.interrupt() == 0
