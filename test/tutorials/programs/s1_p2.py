# SPDX-License-Identifier: MIT
"""S1-P2: echo for many connections with a selector, flaws and all (it spins while a connection is idle).

The listening line shows `port` where the tutorial's text has `_port`, as its own transcript does.
"""
import selectors
import socket
import sys
import types

from place import ready

sel = selectors.DefaultSelector()


def accept(listener):
    conn, addr = listener.accept()
    print(f"Accepted connection from {addr}")
    conn.setblocking(False)
    sel.register(conn, selectors.EVENT_READ | selectors.EVENT_WRITE,
                 data=types.SimpleNamespace(addr=addr, inb=b"", outb=b""))


def service(key, mask):
    sock, data = key.fileobj, key.data
    if mask & selectors.EVENT_READ:
        received = sock.recv(1024)
        if received:
            data.outb += received
        else:
            print(f"Closing connection to {data.addr}")
            sel.unregister(sock)
            sock.close()
    if mask & selectors.EVENT_WRITE:
        if data.outb:
            print(f"Echoing {data.outb!r} to {data.addr}")
            sent = sock.send(data.outb)
            data.outb = data.outb[sent:]


if len(sys.argv) != 3:
    print("Usage: multiconn-server.py <host> <port>")
    sys.exit(1)
host, port = sys.argv[1], int(sys.argv[2])
listener = socket.socket()
listener.bind((host, port))
listener.listen()
print(f"Listening on {listener.getsockname()}")
ready(listener)
listener.setblocking(False)
sel.register(listener, selectors.EVENT_READ, data=None)
try:
    while True:
        for key, mask in sel.select(timeout=None):
            if key.data is None:
                accept(key.fileobj)
            else:
                service(key, mask)
except KeyboardInterrupt:
    print("Caught keyboard interrupt, exiting")
finally:
    sel.close()
