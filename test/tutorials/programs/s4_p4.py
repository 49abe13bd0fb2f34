# SPDX-License-Identifier: MIT
"""S4-P4: sends what comes on stdin, its length before it, and prints what comes back.  Arguments: [host [port]]."""
import socket
import sys

from place import port

address = (sys.argv[1] if len(sys.argv) > 1 else "localhost",
           int(sys.argv[2]) if len(sys.argv) > 2 else port(50007))
payload = sys.stdin.buffer.read()
with socket.socket() as sock:
    sock.connect(address)
    sock.sendall(b"%d " % len(payload) + payload)
    while data := sock.recv(1024):
        sys.stdout.buffer.write(data)
