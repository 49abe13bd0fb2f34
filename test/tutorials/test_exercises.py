# SPDX-License-Identifier: MIT
"""The exercises of tutorial S3, by their numbers: each is a command here, or an option of one.

The first, its two programs to the byte, is in test_pairs.py.
"""
import re
import select
import socket
import threading

import pytest
from harness import DEADLINE, ENGINES, EVENT, TOGETHER, stage        # noqa: F401
from test_examples import run as run_example

every_engine = pytest.mark.parametrize("engine", ENGINES)
several_at_once = pytest.mark.parametrize("engine", TOGETHER)

TYPED = "ola\nit's\nLIST\nCLEAR\nlist\nLIST\n"
ANSWERS = ["Ack", "Ack", "['ola', \"it's\"]", "Lista apagada", "Ack", "['list']"]      # as golden/S3-P4.txt


class Client:
    """One that stays."""

    def __init__(self, server):
        self.socket = server.connect()
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def say(self, text):
        self.socket.sendall(text)

    def hear(self):
        return self.lines.readline()

    def ask(self, text):
        self.say(text + b"\n")
        return self.hear()

    def hears_nothing(self):
        return not select.select([self.socket], [], [], 0)[0]


def talk(stage, server, *options):       # noqa: F811
    """What TYPED is answered, by `myriad connect`."""
    client = stage.command("connect", f"tcp:127.0.0.1:{server.port}", *options)
    client.type(TYPED)
    assert client.wait() == 0, client.err.text()
    return client.out.lines()


def served(server):
    """How many connections there were."""
    assert server.interrupt() == 0
    return int(re.search(r"stopped: (\d+) served, 0 refused, 0 cut", server.err.text())[1])


@every_engine
def test_s3_exercise_2_the_client_keeps_its_connection(stage, engine):
    server = stage.serve("list", engine=engine)
    assert talk(stage, server) == ANSWERS
    assert served(server) == 1


def test_s3_exercise_2_written_as_a_program(stage):
    server = stage.serve("list")
    done = run_example("11-persistent-client", server.port, stdin=(TYPED + "EXIT\n").encode())
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == "".join(f"Mensagem: Resposta: {a}\n" for a in ANSWERS) + "Mensagem: "
    assert served(server) == 1


@pytest.mark.parametrize("engine", EVENT)
def test_s3_exercise_3_many_stay_connected_to_one_loop(stage, engine):
    server = stage.serve("list", engine=engine)
    clients = [Client(server) for _ in range(20)]
    for turn in range(3):
        for i, client in enumerate(clients):
            assert client.ask(b"%d/%d" % (turn, i)) == b"Ack\n"
    items = [f"{turn}/{i}" for turn in range(3) for i in range(20)]
    for client in clients:
        assert client.ask(b"LIST").decode() == f"{items}\n"
        client.__exit__()
    assert served(server) == 20


@pytest.mark.parametrize("engine", EVENT)
def test_s3_exercise_4_exit_typed_into_the_loop(stage, engine):
    """The loop watches its standard input beside the sockets, and ends without Ctrl-C: nobody is cut."""
    server = stage.serve("list", "--stdin-exit", engine=engine)
    with Client(server) as a, Client(server) as b:
        assert a.ask(b"ola") == b.ask(b"it's") == b"Ack\n"
        server.type("exit\n")
        server.err.until("EXIT ends the server")
        assert a.ask(b"LIST") == b"['ola', \"it's\"]\n"        # it still serves
        server.type("EXIT\n")
        assert a.hear() == b.hear() == b""
    assert server.process.wait(DEADLINE) == 0
    assert server.err.end().splitlines()[-1].startswith("stopped: 2 served, 0 refused, 0 cut")


def test_s3_exercise_5_the_beginning_again(stage):
    """What 2 to 4 changed are options: without them one message a connection, one connection at a time."""
    server = stage.serve("list", engine="iterative")
    assert talk(stage, server, "--per-message") == ANSWERS
    assert served(server) == len(ANSWERS)


def test_s3_exercise_6_a_handler_served_one_after_the_other(stage):
    """As TCPServer calls it: straight through, and the second client waits for the end of the first."""
    server = stage.serve("list", engine="iterative")
    with Client(server) as first:
        second = Client(server)
        assert first.ask(b"ola") == b"Ack\n"
        second.say(b"LIST\n")
        assert first.ask(b"it's") == b"Ack\n"
        assert second.hears_nothing()
    with second:
        assert second.hear() == b"['ola', \"it's\"]\n"
    assert served(server) == 2


def test_s3_exercise_7_the_client_keeps_its_connection_again(stage):
    """To the server of exercise 6: its handler has a loop, so one connection carries all, and then comes the next."""
    server = stage.serve("list", engine="iterative")
    assert talk(stage, server) == ANSWERS
    assert talk(stage, server) == ["Ack", "Ack", "['list', 'ola', \"it's\"]", *ANSWERS[3:]]
    assert served(server) == 2


@several_at_once
@pytest.mark.parametrize("workers", [[], ["-w", "3"]], ids=["one", "three"])
def test_s3_exercise_8_the_list_is_one_for_all(stage, engine, workers):
    """Many clients append at once, each on its own thread or process or in one loop: every item is there, once."""
    server = stage.serve("list", *workers, engine=engine)
    wrong = []

    def client(me):
        with server.connect() as s:
            answers = s.makefile("rb")
            for i in range(50):
                s.sendall(b"%d/%d\n" % (me, i))
                if answers.readline() != b"Ack\n":
                    wrong.append((me, i))
    threads = [threading.Thread(target=client, args=(i,)) for i in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(DEADLINE)
    assert not wrong
    items = re.findall(r"'([^']*)'", server.ask(b"LIST\n").decode())
    assert sorted(items) == sorted(f"{me}/{i}" for me in range(20) for i in range(50))
    for me in range(20):                # and each client's in its own order
        assert [i for i in items if i.startswith(f"{me}/")] == [f"{me}/{i}" for i in range(50)]


@every_engine
def test_s3_exercise_9_exit_typed_while_nobody_is_there(stage, engine):
    """No newcomers from then on; it ends when those who are there have left."""
    server = stage.serve("echo", "--stdin-exit", engine=engine)
    assert server.ask(b"before") == b"before"
    server.type("EXIT\n")
    assert server.process.wait(DEADLINE) == 0
    assert server.err.end().splitlines()[-1].startswith("stopped: 1 served, 0 refused, 0 cut")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)


@several_at_once
def test_s3_exercise_9_exit_typed_while_somebody_is_served(stage, engine):
    """Who is in the middle of something is served to the end, nobody else any more; then it ends."""
    server = stage.serve("list", "--stdin-exit", engine=engine)
    with Client(server) as active, Client(server) as idle:
        assert active.ask(b"ola") == idle.ask(b"it's") == b"Ack\n"
        active.say(b"LI")
        server.type("EXIT\n")
        assert idle.hear() == b""               # so it drains
        try:
            assert server.ask(b"late\n") == b""
        except ConnectionError:
            pass
        assert server.alive()
        active.say(b"ST\n")
        assert active.hear() == b"['ola', \"it's\"]\n"
        assert active.hear() == b""
    assert server.process.wait(DEADLINE) == 0
    assert re.match(r"stopped: \d served, \d refused, 0 cut", server.err.end().splitlines()[-1])
