# SPDX-License-Identifier: MIT
"""myriad serve: readiness, every service, every engine, every kind of endpoint."""
import contextlib
import datetime
import os
import re
import socket
import sqlite3
import struct
import threading
import time

import pytest
from conftest import engines, read_all, read_exactly, run

ENGINES = engines()


def test_ready_line_names_the_real_port(serve):
    server = serve("echo", 0)
    assert re.fullmatch(r"tcp:127\.0\.0\.1:[1-9]\d*", server.address)
    server.connect().close()


@pytest.mark.parametrize("engine", ENGINES)
def test_echo(serve, engine):
    server = serve("echo", 0, "-e", engine)
    big = os.urandom(1 << 20)
    with server.connect() as s:
        s.sendall(b"first")
        assert read_exactly(s, 5) == b"first"
        sender = threading.Thread(target=lambda: (s.sendall(big), s.shutdown(socket.SHUT_WR)))
        sender.start()
        assert read_all(s) == big
        sender.join()
    status, last = server.stop()
    assert status == 0
    assert last == "stopped: 1 served, 0 refused, 0 cut, 1.0 MiB in, 1.0 MiB out"


@pytest.mark.parametrize("engine", ENGINES)
def test_reverse_by_code_point(serve, engine):
    server = serve("reverse", 0, "-e", engine)
    request = "hello\nhéllo wörld\n\n".encode() + b"a\xff\xc3(b\n"
    assert server.ask(request) == "olleh\ndlröw olléh\n\n".encode() + b"b(\xc3\xffa\n"


def test_reverse_refuses_an_endless_line(serve):
    server = serve("reverse", 0)
    try:
        assert server.ask(b"x" * 100000) == b""
    except ConnectionError:
        pass
    assert server.ask(b"ab\n") == b"ba\n"


def test_discard(serve):
    server = serve("discard", 0)
    assert server.ask(os.urandom(100000)) == b""
    assert " 97.7 KiB in, 0 bytes out" in server.stop()[1]


def test_chargen(serve):
    server = serve("chargen", 0)
    with server.connect() as s:
        lines = read_exactly(s, 74 * 100).split(b"\r\n")
    printable = bytes(range(32, 127))
    for i, line in enumerate(lines[:100]):
        assert line == (printable * 3)[i % 95:i % 95 + 72]


def test_chargen_waits_for_its_reader(serve):
    server = serve("chargen", 0)
    with server.connect() as slow, server.connect() as other:
        read_exactly(other, 8 << 20)            # however much another takes, this one has not been fed more
        assert len(read_exactly(slow, 74)) == 74
    pages = int(open(f"/proc/{server.process.pid}/statm").read().split()[1])
    assert pages * os.sysconf("SC_PAGE_SIZE") < 64 << 20 or "san" in os.environ.get("MYRIAD", "")


def test_daytime(serve):
    text = serve("daytime", 0).ask(b"")
    told = datetime.datetime.strptime(text.decode(), "%A, %B %d, %Y %H:%M:%S-UTC\r\n")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert abs((now - told).total_seconds()) < 60


def test_who_was_answered_and_does_not_hang_up_keeps_nobody_waiting(serve):
    """One at a time: the second is served although the first has not ended its side, long before close_ms is over."""
    server = serve("daytime", 0, "-e", "iterative", "--close-timeout", "5m")
    with server.connect() as first:
        assert read_all(first).endswith(b"\r\n")
        with server.connect() as second:
            assert read_all(second).endswith(b"\r\n")


def test_time(serve):
    answer = serve("time", 0).ask(b"")
    assert len(answer) == 4
    assert abs(struct.unpack(">I", answer)[0] - 2208988800 - time.time()) < 60


def test_several_endpoints(serve, tmp_path):
    server = serve("echo", 0, f"unix:{tmp_path}/echo.sock,mode=0600", "-l", "[::1]:0", listeners=3)
    assert server.addresses[1] == f"unix:{tmp_path}/echo.sock"
    assert server.addresses[2].startswith("tcp:[::1]:")
    assert os.stat(tmp_path / "echo.sock").st_mode & 0o777 == 0o600
    for address in server.addresses:
        assert server.ask(address.encode(), address) == address.encode()
    assert server.stop()[0] == 0
    assert not (tmp_path / "echo.sock").exists()


def test_inherited_descriptor(serve):
    with socket.create_server(("127.0.0.1", 0)) as ours:
        server = serve("echo", f"fd:{ours.fileno()}", pass_fds=[ours.fileno()])
        assert server.ask(b"x", f"tcp:127.0.0.1:{ours.getsockname()[1]}") == b"x"


def test_endpoints_from_the_environment_give_way_to_arguments(serve):
    listen = {"MYRIAD_LISTEN": "0 [::1]:0"}
    server = serve("echo", env=listen, listeners=2)
    assert server.addresses[1].startswith("tcp:[::1]:")
    server = serve("echo", 0, env=listen)
    assert server.stop()[0] == 0
    assert server.out.all() == ["ready " + server.address]


@pytest.mark.parametrize("how", [[], ["--processes"]], ids=["threads", "processes"])
@pytest.mark.parametrize("engine", [e for e in ENGINES if e != "iterative"])
def test_three_workers(serve, engine, how):
    server = serve("echo", 0, "-w", 3, "-e", engine, *how)
    for i in range(12):
        assert server.ask(b"%d" % i) == b"%d" % i
    status, last = server.stop()
    assert status == 0
    assert last.startswith("stopped: 12 served, 0 refused, 0 cut")


def test_workers_as_processes_are_processes(serve):
    server = serve("echo", 0, "-w", 3, "--processes")
    server.ask(b"x")
    pid = server.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        assert len(children.read().split()) == 3


def test_limits_reach_the_library(serve):
    server = serve("echo", 0, "--max-conns-per-peer", 1, "--idle-timeout", "50ms")
    with server.connect() as first, server.connect() as second:
        first.sendall(b"x")
        assert read_exactly(first, 1) == b"x"
        try:
            assert second.recv(1) == b""        # turned away
        except ConnectionResetError:
            pass
        try:
            assert first.recv(1) == b""         # idle for too long
        except ConnectionResetError:
            pass
    assert "1 served, 1 refused" in server.stop()[1]


def test_quiet_and_verbose(serve):
    server = serve("echo", 0, "-q")
    server.ask(b"x")
    server.send()
    assert server.wait() == 0
    assert server.err.all() == []
    server = serve("discard", 0, "-v")
    server.ask(b"12345")
    server.err.until("threw away 5 bytes")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("service", ["echo", "reverse"])
def test_verbose_tells_of_each_connection(serve, service, engine):
    server = serve(service, 0, "-v", "-e", engine)
    assert len(server.ask(b"1\n")) == 2
    server.ask(b"2\n")
    assert server.stop()[0] == 0
    lines = server.err.seen
    for number in 1, 2:
        peer = next(re.fullmatch(rf"#{number} (127.0.0.1:\d+) has come", x)[1]
                    for x in lines if x.startswith(f"#{number} ") and "has come" in x)
        assert f"#{number} {peer}: gone" in lines


# --- Simulation ---------------------------------------------------------------------------------

@pytest.mark.parametrize("service", ["echo", "reverse", "discard", "chargen", "daytime", "time", "stamp"])
@pytest.mark.parametrize("workers", [1, 3])
def test_simulation_repeats(service, workers):
    args = ["serve", service, "-e", "sim:42", "--sim-clients", 20, "-w", workers]
    first, second = run(*args), run(*args)
    assert first == second                      # with the hash of all that happened
    assert first[0] == 0
    result, repeat = first[1].splitlines()
    assert re.fullmatch(r"sim: seed 42, 20 clients, [\d,]+ bytes sent, [\d,]+ bytes received, 0 failed, "
                        r"hash [0-9a-f]{16}, \d+ virtual ms", result)
    assert run(*repeat.removeprefix("repeat: myriad ").split()) == first


@pytest.mark.parametrize("workers", [1, 3])
def test_simulation_repeats_with_a_list_in_a_file(tmp_path, workers):
    seen = []
    for _ in range(2):
        file = tmp_path / "list.db"
        status, out, err = run("serve", "list", "-e", "sim:42", "--sim-clients", 100, "-w", workers,
                               "--store", f"sqlite:{file}")
        if "built without" in err:
            pytest.skip("built without SQLite")
        assert status == 0 and " 0 failed" in out
        with contextlib.closing(sqlite3.connect(file)) as db:
            assert db.execute("SELECT items = (SELECT count(*) FROM list) FROM total").fetchone() == (1,)
            seen.append((out, db.execute("SELECT item FROM list ORDER BY id").fetchall()))
        file.unlink()
    assert len(seen[0][1]) > 100                # so some waited for each other
    assert seen[0] == seen[1]


def test_simulations_differ_by_seed():
    assert run("serve", "echo", "-e", "sim:1")[1] != run("serve", "echo", "-e", "sim:2")[1].replace("seed 2", "seed 1")


def test_simulation_draws_a_seed_and_tells_it():
    status, out, _ = run("serve", "echo", "-e", "sim", "--sim-clients", 5)
    seed = re.match(r"sim: seed (\d+), 5 clients", out)[1]
    assert status == 0
    assert run("serve", "echo", "-e", "sim", "--sim-clients", 5, env={"MYRIAD_SEED": seed})[1] == out
    assert out.endswith(f"repeat: myriad serve echo -e sim:{seed} --sim-clients 5\n")


def test_simulation_counts_clients_that_were_turned_away():
    status, out, _ = run("serve", "echo", "-e", "sim:3", "--sim-clients", 50, "--max-conns-per-peer", 1)
    assert status in (1, 4)
    assert re.search(", [1-9]\\d* failed, ", out)
