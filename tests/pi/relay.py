"""Connects standard input and output with a loopback port; qemu starts one for each connection."""

import os
import select
import socket
import sys


def main(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while True:
            for ready in select.select([0, connection], [], [])[0]:
                data = os.read(0, 65536) if ready == 0 else connection.recv(65536)
                if not data:
                    return
                if ready == 0:
                    connection.sendall(data)
                else:
                    while data:
                        data = data[os.write(1, data) :]


if __name__ == "__main__":
    main(int(sys.argv[1]))
