"""A program that makes sockets in the network namespace it is started in: socket_helper.py FD.

FD is a socket on which it answers `connect PORT` and `listen PORT` with a socket, or with what went wrong.
"""

import fcntl
import socket
import struct
import sys

LOOPBACK = "127.0.0.1"
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


def serve_sockets(channel: socket.socket) -> None:
    with socket.socket() as any_socket:  # a new namespace has its loopback down
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
    channel.send(b"ready")
    while request := channel.recv(64):
        verb, port = request.decode().split()
        make = socket.create_connection if verb == "connect" else socket.create_server
        try:
            made = make((LOOPBACK, int(port)))
        except OSError as exc:
            channel.send(str(exc).encode())
            continue
        with made:
            socket.send_fds(channel, [b"ok"], [made.fileno()])


if __name__ == "__main__":
    serve_sockets(socket.socket(fileno=int(sys.argv[1])))
