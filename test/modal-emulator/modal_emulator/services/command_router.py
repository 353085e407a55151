"""The task command router: what is run inside of sandboxes.

Since client 1.5 or so everything inside a sandbox (exec, stdio, snapshots) goes to this second gRPC service, whose
URL and JWT come from the create reply. The clients use no TLS for it when their own server URL is on loopback, so both
services share one port.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from grpclib import Status
from modal_proto import task_command_router_pb2 as router_pb2

from ..containers.captured import Captured
from ..containers.containers import Containers
from ..containers.sandbox import Sandboxes
from ..ids import new_id
from ..records import Image
from ..results import SUCCESS
from ..rpc import Call, Fault
from ..state import State
from .sandboxes import SandboxControl, secret_sources_env


def check_bearer(call: Call) -> None:
    """
    :raises Fault: when no token comes with the call; its content is not looked at
    """
    if not call.metadata.get("authorization", "").startswith("Bearer "):
        raise Fault(Status.UNAUTHENTICATED, "missing bearer token")


class CommandRouter:
    """The TaskCommandRouter service."""

    def __init__(self, state: State, containers: Containers, sandboxes: Sandboxes, control: SandboxControl):
        self._state = state
        self._containers = containers
        self._sandboxes = sandboxes
        self._control = control

    # -- commands --------------------------------------------------------------------------------

    def _exec(self, request: Any) -> Captured:
        execs = self._control.by_task(request.task_id).execs
        if request.exec_id not in execs:
            raise Fault(Status.NOT_FOUND, f"exec '{request.exec_id}' not found")
        return execs[request.exec_id]

    async def TaskExecStart(self, request: Any, call: Call) -> None:
        sandbox = self._control.by_task(request.task_id)
        if sandbox.result is not None:
            raise Fault(Status.NOT_FOUND, "Sandbox has finished")
        if request.exec_id in sandbox.execs:
            return  # a start that was tried again
        env = {
            **sandbox.env,
            **self._state.secret_env(request.secret_ids),  # clients before 1.6 send these two
            **request.env,
            **secret_sources_env(self._state, request.secret_sources),
        }
        command = list(request.command_args)
        process = await self._sandboxes.run(sandbox, command, env, request.workdir or sandbox.workdir)
        sandbox.execs[request.exec_id] = process
        sandbox.exec_commands.append(command)
        if request.timeout_secs:
            asyncio.get_running_loop().call_later(request.timeout_secs, process.kill)

    async def TaskExecPoll(self, request: Any, call: Call) -> Any:
        process = self._exec(request)
        if not process.finished:
            return router_pb2.TaskExecPollResponse()
        return router_pb2.TaskExecPollResponse(**_status_fields(await process.wait()))

    async def TaskExecWait(self, request: Any, call: Call) -> Any:
        return router_pb2.TaskExecWaitResponse(**_status_fields(await self._exec(request).wait()))

    # -- their input and output ------------------------------------------------------------------

    async def TaskExecStdioRead(self, request: Any, call: Call) -> AsyncIterator[Any]:
        fd = 2 if request.file_descriptor == router_pb2.TASK_EXEC_STDIO_FILE_DESCRIPTOR_STDERR else 1
        async for chunk in self._exec(request).read(fd, request.offset):
            yield router_pb2.TaskExecStdioReadResponse(data=chunk)

    async def TaskExecStdinWrite(self, request: Any, call: Call) -> None:
        await self._exec(request).write_stdin(request.offset, request.data, request.eof)

    async def TaskExecStdinStatus(self, request: Any, call: Call) -> Any:
        process = self._exec(request)
        return router_pb2.TaskExecStdinStatusResponse(
            num_bytes_written=process.stdin_written, closed=process.stdin_closed
        )

    async def TaskExecStdinWriteStream(self, stream: Any, call: Call) -> None:
        process: Captured | None = None
        offset = 0
        async for message in stream:
            if message.HasField("start"):
                process, offset = self._exec(message.start), message.start.offset
                continue
            if process is None:
                raise Fault(Status.INVALID_ARGUMENT, "the stream does not say where it goes")
            if message.HasField("end"):
                await process.write_stdin(offset, b"", True)
            else:
                await process.write_stdin(offset, message.data, False)
                offset += len(message.data)

    # -- the sandbox's own program ---------------------------------------------------------------

    def _entrypoint(self, request: Any) -> Captured:
        entrypoint = self._control.by_task(request.task_id).entrypoint
        if entrypoint is None:
            raise Fault(Status.NOT_FOUND, "Sandbox has not started")
        return entrypoint

    async def SandboxStdioReadV2(self, request: Any, call: Call) -> AsyncIterator[Any]:
        fd = 2 if request.file_descriptor == router_pb2.SANDBOX_STDIO_FILE_DESCRIPTOR_STDERR else 1
        offset = request.offset
        async for chunk in self._entrypoint(request).read(fd, offset):
            yield router_pb2.SandboxStdioReadV2Response(data=chunk, starting_offset=offset)
            offset += len(chunk)

    async def SandboxStdinWriteV2(self, request: Any, call: Call) -> None:
        await self._entrypoint(request).write_stdin(request.offset, request.data, request.eof)

    async def SandboxWaitUntilReady(self, request: Any, call: Call) -> None:
        return None

    # -- the sandbox as a whole ------------------------------------------------------------------

    async def TaskReloadVolumes(self, request: Any, call: Call) -> None:
        return None

    async def TaskSnapshotFilesystem(self, request: Any, call: Call) -> Any:
        """What is in a volume is not part of it, as on Modal; nor is what is in memory."""
        sandbox = self._control.by_task(request.task_id)
        if sandbox.result is not None:
            raise Fault(Status.NOT_FOUND, "Sandbox has finished")
        base = sandbox.image
        image = Image(
            new_id("im"),
            base.builder_version,
            None,
            base.id,
            env=dict(base.env),
            workdir=base.workdir,
            command=list(base.command),
        )
        await self._containers.snapshot(sandbox.root, image)
        image.status = SUCCESS
        self._state.images[image.id] = image
        return router_pb2.TaskSnapshotFilesystemResponse(image_id=image.id)


def _status_fields(code: int) -> dict[str, int]:
    return {"signal": -code} if code < 0 else {"code": code}
