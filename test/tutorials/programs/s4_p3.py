# SPDX-License-Identifier: MIT
"""S4-P3: echo with a byte count before the data; the tutorial's protocol class on asyncio instead of Twisted.

An exception in dataReceived drops the connection, as Twisted does.
"""
import asyncio

from place import host, port, ready, say


class EchoCount(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.prefix = b""
        self.contentlength = self.recvcount = self.datalen = 0

    def data_received(self, data):
        try:
            self.take(data)
        except ValueError:
            self.transport.abort()

    def take(self, data):
        self.recvcount += len(data)
        say("received data with len %d (total received=%d)" % (len(data), self.recvcount))
        if self.contentlength == 0:
            head, space, rest = data.partition(b" ")
            self.prefix += head
            if not space:
                return
            self.contentlength = int(self.prefix)
            say("extracted content length=%d" % self.contentlength)
            data = rest
        self.transport.write(data)
        self.datalen += len(data)
        say("echoed data with len %d (total sent=%d)" % (len(data), self.datalen))
        if self.datalen == self.contentlength:
            self.transport.close()


async def main():
    server = await asyncio.get_running_loop().create_server(EchoCount, host("0.0.0.0"), port(50007))
    ready(server.sockets[0])
    await server.serve_forever()

try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
