# SPDX-License-Identifier: MIT
"""A message may arrive in any number of pieces: cut at every place, and one byte at a time, it gives one result."""
import socket

import pytest
from harness import ENGINES, read_all, read_exactly, send_in_pieces, stage, taken       # noqa: F401

EXCHANGES = {
    "count": ("count", [], b"10 1234567890", b"1234567890"),
    "count, more than announced": ("count", [], b"3 12345", b"123"),
    "count, nothing announced": ("count", [], b"0 ", b""),
    "count, bytes": ("count", [], b"12 \x00\xff \n\r\n\xc3\xa1\x1b[1m", b"\x00\xff \n\r\n\xc3\xa1\x1b[1m"),
    "list": ("list", [], "CLEAR\nOlá\r\nLIST\n".encode(), "Lista apagada\nAck\n['Olá']\n".encode()),
    "reverse": ("reverse", [], "Olá\n\nab\r\n".encode(), None),
    "reverse bytes": ("reverse", ["--bytes"], "Olá\nab\n".encode(), b"\xa1\xc3lO\nba\n"),
    "echo": ("echo", [], b"hello\r\nworld", b"hello\r\nworld"),
}


def two_pieces(request):
    return [[request[:i], request[i:]] for i in range(1, len(request))]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("what", EXCHANGES)
def test_every_cut_one_result(stage, engine, what):
    service, options, request, wanted = EXCHANGES[what]
    server = stage.serve(service, *options, engine=engine)
    if wanted is None:
        wanted = server.ask(request)
    for pieces in [[request], *two_pieces(request), [request[i:i + 1] for i in range(len(request))]]:
        with server.connect() as s:
            for piece in pieces:
                send_in_pieces(s, [piece])
                taken(s)
            if service != "count":
                s.shutdown(socket.SHUT_WR)
            assert read_all(s) == wanted, pieces


@pytest.mark.parametrize("engine", ["python", *ENGINES])
def test_cuts_that_are_certain(stage, engine):
    """The exact server tells of each piece it has received, so the next is sent after that: no piece meets another."""
    request = b"10 1234567890"
    cuts = [*two_pieces(request), [request[i:i + 1] for i in range(len(request))]]
    server = stage.tutorial_server("s4_p3") if engine == "python" else stage.exact("count", "S4-P3", engine=engine)
    for pieces in cuts:
        with server.connect() as s:
            got, total = b"", 0
            for piece in pieces:
                s.sendall(piece)
                total += len(piece)
                server.out.until(f"received data with len {len(piece)} (total received={total})")
                if b" " in request[:total] and total > 3:
                    got += read_exactly(s, total - 3 - len(got))
            assert got + read_all(s) == b"1234567890"


@pytest.mark.parametrize("engine", ENGINES)
def test_cuts_of_a_dialogue_are_certain(stage, engine):
    """Echo sends back what has arrived: each piece is seen again before the next goes out."""
    server = stage.serve("echo", engine=engine)
    with server.connect() as s:
        for i in range(1, 257):
            piece = bytes([i & 255]) * i
            s.sendall(piece)
            assert read_exactly(s, i) == piece
