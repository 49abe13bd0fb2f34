# SPDX-License-Identifier: MIT
"""S3-P4, Cliente.py: a new connection for every message."""
import socket
import sys

from place import host, port

address = (sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 1 else (host("127.0.0.1"), port(9999))
while (text := input("Mensagem: ")) != "EXIT":
    sock = socket.socket()
    sock.connect(address)
    sock.sendall(text.encode())
    print("Recebi: %s" % sock.recv(1024).decode())
    sock.close()
