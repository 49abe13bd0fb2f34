# SPDX-License-Identifier: MIT
"""S0-P1: the interactive client that keeps its connection (Python 2 in the tutorial: bytes are printed raw)."""
import socket
import sys

from place import port, say

address = (sys.argv[1] if len(sys.argv) > 1 else "localhost", port(50007))
sock = socket.socket()
sock.connect(address)
say("client: connected to %r " % (address,))
while True:
    sys.stdout.write("client: enter string to send>")
    sys.stdout.flush()
    line = sys.stdin.buffer.readline()
    if not line:
        raise EOFError
    text = line.removesuffix(b"\n")
    if not text:
        break
    sock.send(text)
    say("client: from %r received data=" % (address,), sock.recv(1024))
say("client: shutting down connection to server %r" % (address,))
sock.close()
