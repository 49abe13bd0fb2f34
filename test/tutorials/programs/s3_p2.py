# SPDX-License-Identifier: MIT
"""S3-P2: the client that keeps its connection."""
import socket

from place import host, port

sock = socket.socket()
sock.connect((host("127.0.0.1"), port(9999)))
while (text := input("Mensagem: ")) != "EXIT":
    sock.sendall(text.encode())
    print("Resposta: %s" % sock.recv(1024).decode())
sock.close()
