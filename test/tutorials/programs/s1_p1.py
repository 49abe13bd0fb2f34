# SPDX-License-Identifier: MIT
"""S1-P1: the plain echo client.  The tutorial leaves host and port out; the other programs of it use these."""
import socket

from place import host, port

with socket.socket() as sock:
    sock.connect((host("127.0.0.1"), port(65432)))
    sock.sendall(b"Hello, world")
    data = sock.recv(1024)
print(f"Received {data!r}")
