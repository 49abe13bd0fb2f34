# SPDX-License-Identifier: MIT
"""S2-P3: ThreadingTCPServer; each client is kept waiting first, none because of another."""
import socketserver
import time

from place import delay, host, port, ready


def now():
    return time.ctime(time.time())


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        print(self.client_address, now())
        time.sleep(delay(5))
        while data := self.request.recv(1024):
            self.request.send("Resposta eco => {} as {}".format(data, now()).encode())
        self.request.close()


server = socketserver.ThreadingTCPServer((host("localhost"), port(5000)), Handler)
ready(server.socket)
server.serve_forever()
