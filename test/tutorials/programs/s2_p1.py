# SPDX-License-Identifier: MIT
"""S2-P1: twenty clients, a thread each."""
import socket
import threading

from place import host, port


class Client(threading.Thread):
    def __init__(self, client_id, server, port, *messages):
        super().__init__()
        self.client_id, self.address, self.messages = client_id, (server, port), messages

    def run(self):
        connection = socket.socket()
        connection.connect(self.address)
        for line in self.messages:
            connection.send(line)
            data = connection.recv(1024)
            print("Cliente {} recebeu: {}".format(self.client_id, data))
        connection.close()


for i in range(20):
    Client(i, host("localhost"), port(5000), b"Ola mundo da internet!").start()
print("Geramos todos os clientes!")
