"""Sandboxes: containers with a network of their own, in which commands are run until they are ended."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from modal_proto import api_pb2

from ..records import Image
from ..results import FAILURE, SUCCESS, TERMINATED, TIMEOUT, Status
from .captured import Captured
from .containers import Containers, init_pid
from .namespaces import Root
from .network import SandboxNetwork

_DEFAULT_TIMEOUT_SECONDS = 300


@dataclass
class Sandbox:
    id: str
    task_id: str
    app_id: str
    environment: str
    image: Image
    definition: api_pb2.Sandbox
    command: list[str]
    env: dict[str, str]
    workdir: str
    root: Root
    tags: dict[str, str]
    created_at: float = field(default_factory=time.time)
    network: SandboxNetwork = field(default_factory=SandboxNetwork)
    keeper: Captured | None = None
    entrypoint: Captured | None = None
    execs: dict[str, Captured] = field(default_factory=dict)
    exec_commands: list[list[str]] = field(default_factory=list)
    result: api_pb2.GenericResult | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def processes(self) -> list[Captured]:
        """Those inside come before the one that keeps their namespaces."""
        return [p for p in (*self.execs.values(), self.entrypoint, self.keeper) if p is not None]

    def end(self, status: Status, exit_code: int = 0) -> None:
        """The first end counts."""
        if self.result is not None:
            return
        self.result = api_pb2.GenericResult(status=status, exitcode=exit_code)
        for process in self.processes():
            process.kill()
        self.network.close()
        self.done.set()


class Sandboxes:
    def __init__(self, containers: Containers):
        self._containers = containers
        self._by_id: dict[str, Sandbox] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self.reachable_ports: list[int] = []  # of the host's loopback; set once they are known

    def all(self) -> Iterable[Sandbox]:
        return self._by_id.values()

    def get(self, sandbox_id: str) -> Sandbox | None:
        return self._by_id.get(sandbox_id)

    async def start(self, sandbox: Sandbox) -> None:
        """
        :raises OSError: when its network can't be made
        """
        sandbox.root.isolate_network = True
        sandbox.keeper = await self._containers.start_resident(sandbox.root)
        try:
            await sandbox.network.start(init_pid(sandbox.keeper))
            for port in self.reachable_ports:
                await sandbox.network.admit(port)
            for open_port in sandbox.definition.open_ports.ports:
                await sandbox.network.publish(open_port.port)
        except OSError:
            sandbox.end(FAILURE)
            raise
        self._by_id[sandbox.id] = sandbox
        sandbox.entrypoint = await self.run(sandbox, sandbox.command, sandbox.env, sandbox.workdir)
        watcher = asyncio.create_task(self._watch(sandbox, sandbox.entrypoint))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _watch(self, sandbox: Sandbox, entrypoint: Captured) -> None:
        limit = sandbox.definition.timeout_secs or _DEFAULT_TIMEOUT_SECONDS
        try:
            code = await asyncio.wait_for(entrypoint.wait(), limit)
            sandbox.end(SUCCESS if code == 0 else FAILURE, code)
        except TimeoutError:
            sandbox.end(TIMEOUT, 124)

    async def run(self, sandbox: Sandbox, command: list[str], env: dict[str, str], workdir: str) -> Captured:
        assert sandbox.keeper is not None
        return await self._containers.run_in_resident(sandbox.keeper, command, env, workdir)

    def end_of_app(self, app_id: str) -> None:
        for sandbox in self._by_id.values():
            if sandbox.app_id == app_id:
                sandbox.end(TERMINATED)

    async def end_all(self) -> None:
        """End every sandbox, and wait until their processes are gone."""
        for sandbox in self._by_id.values():
            sandbox.end(TERMINATED)
        await asyncio.gather(*(process.wait() for s in self._by_id.values() for process in s.processes()))
