"""Runs mngr's and modal's commands for tests in forks of this process, which has already imported what they need.

Imports are most of what a short command of these costs, and tests start hundreds of them. Each command still runs in a
process of its own, with its caller's arguments, environment, folder and files. `imbue.mngr.main` itself, which reads
settings while it is imported, and Modal's client, which reads variables, are only imported by that process.

Usage: server.py SOCKET. It ends when its standard input does.
"""

import array
import ast
import fcntl
import gc
import importlib
import importlib.metadata
import importlib.util
import marshal
import os
import pathlib
import select
import signal
import socket
import sys

# What commands import while they run. Only speed depends on this list.
LATER = ("certifi", "docker", "imbue.mngr_docker.cli", "imbue.mngr_docker.instance", "pyinfra.local", "urllib.request")

# What Modal's client imports, without its own modules.
OF_MODAL = (
    *("aiohttp.web", "cbor2", "google.protobuf.struct_pb2", "google.protobuf.wrappers_pb2", "grpclib.client"),
    *("modal_proto.api_grpc", "modal_proto.task_command_router_pb2", "rich.columns", "rich.json", "rich.live"),
    *("rich.markdown", "rich.panel", "rich.rule", "rich.table", "rich.traceback", "rich.tree", "synchronicity"),
    "watchfiles",
)

MOST_FILES = 16
MOST_BYTES = 16_000_000


def preload():
    main = importlib.util.find_spec("imbue.mngr.main")
    for statement in ast.parse(pathlib.Path(main.origin).read_text()).body:
        if isinstance(statement, ast.ImportFrom):
            importlib.import_module(statement.module)
        elif isinstance(statement, ast.Import):
            for each in statement.names:
                importlib.import_module(each.name)
    entry_points = importlib.metadata.entry_points()
    plugins = (*entry_points.select(group="mngr"), *entry_points.select(group="pyinfra.connectors"))
    for name in (*(each.module for each in plugins), *LATER, *OF_MODAL):
        importlib.import_module(name)
    # Its grammar is compiled once per process, which is most of what `mngr list` does.
    importlib.import_module("celpy.celparser").CELParser()
    for name in ("imbue.mngr.main", "modal"):
        assert name not in sys.modules, f"{name} must be imported by each command itself"
    # Else each fork's first collection would copy all pages.
    gc.collect()
    gc.freeze()


def receive(connection):
    """The caller's request, and its files: the working folder, then those that the request numbers."""
    received, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(MOST_FILES * 4))
    files = array.array("i")
    for _, _, content in ancillary:
        files.frombytes(content[: len(content) - len(content) % files.itemsize])
    while len(received) < 4:
        received += connection.recv(4 - len(received)) or exit(1)
    length = int.from_bytes(received, "little")
    assert length < MOST_BYTES
    content = bytearray()
    while len(content) < length:
        content += connection.recv(length - len(content)) or exit(1)
    return marshal.loads(bytes(content)), list(files)


def supervise(connection, pid):
    """Passes the caller's signals on, ends the command's group if the caller is gone, and reports how it ended."""
    handle = os.pidfd_open(pid)
    while True:
        ready, _, _ = select.select([handle, connection], [], [])
        if handle in ready:
            break
        number = connection.recv(1)
        try:
            os.killpg(pid, number[0] if number else signal.SIGKILL)
        except ProcessLookupError:
            pass
        if not number:
            break
    status = os.waitpid(pid, 0)[1]
    try:
        connection.sendall(status.to_bytes(4, "little"))
    except OSError:
        pass
    os._exit(0)


def become(request, files):
    """This process takes the caller's environment, folder and files."""
    arguments, environment, numbers, mask = request
    os.environ.clear()
    os.environb.update(environment)
    os.umask(mask)
    files = [fcntl.fcntl(file, fcntl.F_DUPFD, 64) for file in files]
    os.fchdir(files[0])
    # This process's own files, and the originals of those above, are the caller's or no one's.
    os.closerange(0, 64)
    for number, file in zip(numbers, files[1:], strict=True):
        os.dup2(file, number)
    os.closerange(64, 64 + 4 * MOST_FILES)
    sys.argv = arguments
    # Python itself reads these when it starts.
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.stdout.reconfigure(line_buffering=bool(os.environ.get("PYTHONUNBUFFERED")))


def serve(path):
    """Returns in each process that is to run a command."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(f"{path}.new")
    server.listen(64)
    os.rename(f"{path}.new", path)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([server, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = server.accept()
        if os.fork() > 0:
            connection.close()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        server.close()
        request, files = receive(connection)
        os.setsid()
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            become(request, files)
            return
        for file in files:
            os.close(file)
        supervise(connection, pid)


preload()
serve(sys.argv[1])
if os.path.basename(sys.argv[0]) == "modal":
    from modal.__main__ import main
else:
    from imbue.mngr.main import cli as main
sys.exit(main())
