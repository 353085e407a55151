"""Stands for mngr or modal on the PATH of tests: has the command run by server.py, or by the program itself where that can't be."""

# Only built-in modules: those of the library would take longer to import than all else here.
import _signal
import _socket
import marshal
import os
import sys

PROGRAM = "<PROGRAM>"
SOCKET = "<SOCKET>"


def run_it_cold():
    os.execv(PROGRAM, [PROGRAM, *sys.argv[1:]])


def connect():
    # What needs a terminal needs its session too.
    if any(os.isatty(number) for number in (0, 1, 2) if is_open(number)):
        run_it_cold()
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(SOCKET)
    except OSError:
        run_it_cold()
    return connection


def is_open(number):
    try:
        os.fstat(number)
        return True
    except OSError:
        return False


def main():
    numbers = [number for number in range(10) if is_open(number)]
    connection = connect()
    mask = os.umask(0)
    os.umask(mask)
    request = marshal.dumps(([PROGRAM, *sys.argv[1:]], dict(os.environb), numbers, mask))
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    files = b"".join(number.to_bytes(4, sys.byteorder) for number in (folder, *numbers))
    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT):
        _signal.signal(number, lambda number, _: connection.send(bytes([number])))
    length = len(request).to_bytes(4, "little")
    connection.sendmsg([length], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
    sent = 0
    while sent < len(request):
        sent += connection.send(memoryview(request)[sent:])
    status = b""
    while len(status) < 4:
        more = connection.recv(4 - len(status))
        if not more:
            sys.exit("the server of mngr and modal for tests has ended")
        status += more
    status = int.from_bytes(status, "little")
    if os.WIFSIGNALED(status):
        _signal.signal(os.WTERMSIG(status), _signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


main()
