# SPDX-License-Identifier: MIT
"""S0-P3: the threaded echo server with setup, handle and finish."""
import itertools
import socketserver
import threading

from place import host, port, ready, say

numbers = itertools.count(1)


class Echo(socketserver.BaseRequestHandler):
    def setup(self):
        say("server@%s: accepted connection by %s" % (self.name(), self.client_address))

    def handle(self):
        while data := self.request.recv(1024):
            say("server@%s: received from %s data " % (self.name(), self.client_address), data)
            self.request.send(data)

    def finish(self):
        say("server@%s: terminating connection to %s" % (self.name(), self.client_address))

    @staticmethod
    def name():
        return threading.current_thread().name


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    def process_request(self, request, client_address):
        # As the mixin does it, with the plain thread names of Python 2.
        threading.Thread(target=self.process_request_thread, args=(request, client_address),
                         name="Thread-%d" % next(numbers)).start()


server = Server((host(""), port(50007)), Echo)
try:
    say("server: starting")
    ready(server.socket)
    server.serve_forever()
except KeyboardInterrupt:
    say("\nKeyborad Interrupt detected")
finally:
    server.server_close()
    say("server: shut down")
