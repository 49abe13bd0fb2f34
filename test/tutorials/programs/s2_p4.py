# SPDX-License-Identifier: MIT
"""S2-P4: one select over two listening ports.  TUTORIAL_PORT=0 gives two free ones instead of 5002 and 5003."""
import select
import socket
import time

from place import host, port, ready


def now():
    return time.ctime(time.time())


main_socks, read_socks, write_socks = [], [], []
for i in range(2):
    sock = socket.socket()
    sock.bind((host("localhost"), port(5002) and port(5002) + i))
    sock.listen(5)
    ready(sock)
    main_socks.append(sock)
    read_socks.append(sock)
print("Loop de seleção de socket iniciado!")
while True:
    for sock in select.select(read_socks, write_socks, [])[0]:
        if sock in main_socks:
            connection, address = sock.accept()
            print("Conecta:", address, id(connection))
            read_socks.append(connection)
        else:
            data = sock.recv(1024)
            print("\tRecebeu", data, "em", id(sock))
            if data:
                sock.send(("Resposta eco => %s as %s" % (data, now())).encode())
            else:
                sock.close()
                read_socks.remove(sock)
