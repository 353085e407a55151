"""A sandbox's network: its own namespace, and relays between its loopback and the host's.

Sockets belong to the namespace they were made in, wherever they are used. So a helper process enters the sandbox's
namespace, makes sockets there on request, and hands them to the emulator, which does all the relaying. This needs
no privileges beyond those that made the namespace, no address plan, and no tool other than nsenter.
"""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from .namespaces import nsenter
from .socket_helper import LOOPBACK

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_HELPER = Path(__file__).with_name("socket_helper.py")


class SandboxNetwork:
    def __init__(self) -> None:
        self.published: dict[int, int] = {}  # port inside -> port on the host's loopback
        self._channel: socket.socket | None = None
        self._helper: subprocess.Popen[str] | None = None
        self._servers: list[asyncio.Server] = []
        self._lock = asyncio.Lock()

    async def start(self, init_pid: int) -> None:
        """
        :raises OSError: when the namespace can't be entered
        """
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = channel
        with theirs:
            helper = subprocess.Popen(
                [*nsenter(init_pid, "--net"), sys.executable, "-I", "-S", str(_HELPER), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        self._helper = helper
        greeting = await asyncio.to_thread(channel.recv, 64)
        if greeting != b"ready":
            problem = helper.stderr.read().strip() if helper.stderr else ""
            raise OSError(f"no network for the sandbox: {problem}")

    async def _socket(self, request: str) -> socket.socket:
        channel = self._channel
        if channel is None:
            raise ConnectionError("the sandbox has ended")

        def ask() -> tuple[bytes, list[int]]:
            channel.send(request.encode())
            answer, descriptors, _, _ = socket.recv_fds(channel, 512, 1)
            return answer, list(descriptors)

        async with self._lock:
            answer, descriptors = await asyncio.to_thread(ask)
        if not descriptors:
            raise ConnectionError(answer.decode() or "the sandbox has ended")
        made = socket.socket(fileno=descriptors[0])
        made.setblocking(False)
        return made

    async def publish(self, port: int) -> None:
        """Make a port inside reachable on a free port of the host's loopback."""

        async def connect() -> Connection:
            return await asyncio.open_connection(sock=await self._socket(f"connect {port}"))

        server = await asyncio.start_server(_relay_to(connect), LOOPBACK, 0)
        self._servers.append(server)
        self.published[port] = server.sockets[0].getsockname()[1]

    async def admit(self, port: int) -> None:
        """Make a port of the host's loopback reachable inside, under the same number."""

        async def connect() -> Connection:
            return await asyncio.open_connection(LOOPBACK, port)

        self._servers.append(await asyncio.start_server(_relay_to(connect), sock=await self._socket(f"listen {port}")))

    def close(self) -> None:
        for server in self._servers:
            server.close()
        if self._channel:
            self._channel.close()
            self._channel = None
        if self._helper:
            self._helper.kill()
            self._helper.wait()
            if self._helper.stderr:
                self._helper.stderr.close()


def _relay_to(connect: Callable[[], Awaitable[Connection]]) -> Callable[..., Awaitable[None]]:
    async def relay(near_reader: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await connect()
        except OSError:
            near_writer.transport.abort()  # what a closed port looks like, as far as a relay can show it
            return
        try:
            await asyncio.gather(_pump(near_reader, far_writer), _pump(far_reader, near_writer))
        except OSError:
            pass
        finally:
            near_writer.close()
            far_writer.close()

    return relay


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
