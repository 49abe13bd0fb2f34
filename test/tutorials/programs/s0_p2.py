# SPDX-License-Identifier: MIT
"""S0-P2: the echo server that serves one connection at a time; the others wait in the kernel's queue."""
import socket

from place import host, port, ready

listener = socket.socket()
listener.bind((host(""), port(50007)))
listener.listen(5)
ready(listener)
while True:
    conn, _ = listener.accept()
    while data := conn.recv(1024):
        conn.send(data)
    conn.close()
