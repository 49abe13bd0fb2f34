# SPDX-License-Identifier: MIT
"""S1-P3: N connections from one selector, two messages each.

The tutorial does not show this program's loop; it ends when nothing is registered any more.
"""
import selectors
import socket
import sys
import types

sel = selectors.DefaultSelector()
MESSAGES = [b"Message 1 from client.", b"Message 2 from client."]


def start(address, count):
    for connid in range(1, count + 1):
        print(f"Starting connection {connid} to {address}")
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(address)
        sel.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, data=types.SimpleNamespace(
            connid=connid, msg_total=sum(map(len, MESSAGES)), recv_total=0, messages=MESSAGES.copy(), outb=b""))


def service(key, mask):
    sock, data = key.fileobj, key.data
    if mask & selectors.EVENT_READ:
        received = sock.recv(1024)
        if received:
            print(f"Received {received!r} from connection {data.connid}")
            data.recv_total += len(received)
        if not received or data.recv_total == data.msg_total:
            print(f"Closing connection {data.connid}")
            sel.unregister(sock)
            sock.close()
            return
    if mask & selectors.EVENT_WRITE:
        if not data.outb and data.messages:
            data.outb = data.messages.pop(0)
        if data.outb:
            print(f"Sending {data.outb!r} to connection {data.connid}")
            sent = sock.send(data.outb)
            data.outb = data.outb[sent:]


if len(sys.argv) != 4:
    print("Usage: multiconn-client.py <host> <port> <num_connections>")
    sys.exit(1)
start((sys.argv[1], int(sys.argv[2])), int(sys.argv[3]))
while sel.get_map():
    for key, mask in sel.select(timeout=1):
        service(key, mask)
