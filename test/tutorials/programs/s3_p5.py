# SPDX-License-Identifier: MIT
"""S3-P5, Servidor.py: the list server, one request a connection."""
import socket
import sys

from place import port, ready

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("localhost", int(sys.argv[1]) if len(sys.argv) > 1 else port(9999)))
listener.listen(1)
ready(listener)
items = []
while True:
    try:
        conn, _ = listener.accept()
        text = conn.recv(1024)
        answer = "Ack"
        if text.decode() == "LIST":
            answer = str(items)
        elif text.decode() == "CLEAR":
            items = []
            answer = "Lista apagada"
        else:
            items.append(text.decode())
        conn.sendall(answer.encode())
        print("lista= %s" % items)
        conn.close()
    except KeyboardInterrupt:
        break
    except Exception:
        print(sys.exc_info())
        conn.close()
listener.close()
