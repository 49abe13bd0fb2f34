# SPDX-License-Identifier: MIT
"""S2-P2: answers one client at a time, with a text before what it got."""
import socket

from place import host, port, ready

listener = socket.socket()
listener.bind((host("localhost"), port(5000)))
listener.listen(5)
ready(listener)
while True:
    connection, address = listener.accept()
    print("Server conectado por", address)
    while data := connection.recv(1024):
        connection.send(b"Resposta => " + data)
    connection.close()
