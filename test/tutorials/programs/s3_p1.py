# SPDX-License-Identifier: MIT
"""S3-P1: the select server whose answer is the text back to front, by code point."""
import select
import socket

from place import host, port, ready

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host("localhost"), port(9999)))
listener.listen(1)
ready(listener)
socks = [listener]
while True:
    for sock in select.select(socks, [], [])[0]:
        if sock is listener:
            conn, _ = listener.accept()
            print("Novo cliente ligado desde %s:%d" % conn.getpeername())
            socks.append(conn)
        elif text := sock.recv(1024).decode():
            sock.sendall(text[::-1].encode())
        else:
            sock.close()
            socks.remove(sock)
            print("Cliente fechou ligação")
