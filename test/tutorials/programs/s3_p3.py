# SPDX-License-Identifier: MIT
"""S3-P3: one answer a connection, back to front byte by byte.  With the argument `ciclo`, the body in an endless loop."""
import socketserver
import sys

from place import host, port, ready


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            data = self.request.recv(1024)
            if not data and sys.argv[1:]:
                break               # the tutorial's loop has no way out; a closed connection must be one
            print("ligado a ", self.client_address)
            print(data)
            self.request.sendall(data[::-1])
            if not sys.argv[1:]:
                break


socketserver.TCPServer.allow_reuse_address = True
server = socketserver.TCPServer((host("localhost"), port(9999)), Handler)
ready(server.socket)
server.serve_forever()
