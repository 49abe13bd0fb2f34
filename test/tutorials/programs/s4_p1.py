# SPDX-License-Identifier: MIT
"""S4-P1: the Twisted echo server, on asyncio: dataReceived is data_received, the factory is the class itself.

Twisted need not be installed for it; what goes over the wire and into the log is the same.
"""
import asyncio

from place import host, port, ready, say


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        say("Received %d bytes :" % len(data), data)
        self.transport.write(data)


async def main():
    server = await asyncio.get_running_loop().create_server(Echo, host("0.0.0.0"), port(50007))
    ready(server.sockets[0])
    await server.serve_forever()

try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
