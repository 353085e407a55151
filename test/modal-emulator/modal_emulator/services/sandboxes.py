"""The RPCs that create, find and end sandboxes. What runs inside is command_router.py's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from grpclib import Status
from modal_proto import api_pb2

from ..containers.base_layer import BuildError
from ..containers.containers import Containers
from ..containers.sandbox import Sandbox, Sandboxes
from ..containers.socket_helper import LOOPBACK
from ..ids import fake_jwt, new_id
from ..results import POLL_SECONDS, SUCCESS, TERMINATED
from ..rpc import Call, Fault
from ..state import State
from .container_env import container_env

_LONGEST_LIFE = 86_400  # seconds; the wording of the refusal is a guess
_TYPESCRIPT_CLIENT = str(api_pb2.CLIENT_TYPE_LIBMODAL_JS)
_DEFAULT_COMMAND = ["sleep", "172800"]  # as in Modal's own images


class SandboxControl:
    """Client 1.5 makes "V1" sandboxes, 1.6 "V2" ones: they differ in the shape of ids and in names of RPCs."""

    def __init__(self, state: State, containers: Containers, sandboxes: Sandboxes):
        self._state = state
        self._containers = containers
        self._sandboxes = sandboxes

    def find(self, sandbox_id: str) -> Sandbox:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise Fault(Status.NOT_FOUND, f"Sandbox '{sandbox_id}' not found")
        return sandbox

    def by_task(self, task_id: str) -> Sandbox:
        for sandbox in self._sandboxes.all():
            if sandbox.task_id == task_id:
                return sandbox
        raise Fault(Status.NOT_FOUND, f"Task '{task_id}' not found")

    def _named(self, name: str, environment: str, include_finished: bool) -> Sandbox | None:
        for sandbox in self._sandboxes.all():
            same = (sandbox.definition.name, sandbox.environment) == (name, environment)
            if same and (include_finished or sandbox.result is None):
                return sandbox
        return None

    # -- creating one ----------------------------------------------------------------------------

    async def SandboxCreateV2(self, request: Any, call: Call) -> Any:
        # The client knows V2 sandboxes by their id *not* having 22 characters, V2 tasks by a final "V".
        env = secret_sources_env(self._state, request.secret_sources)
        sandbox = await self._create(request, new_id("sb", 26), new_id("ta", 25) + "V", env)
        return api_pb2.SandboxCreateV2Response(
            sandbox_id=sandbox.id,
            task_id=sandbox.task_id,
            command_router_access=self._access(sandbox.task_id, call),
            metadata=api_pb2.SandboxHandleMetadata(app_id=sandbox.app_id),
            tunnels=_tunnels(sandbox),
        )

    async def SandboxCreate(self, request: Any, call: Call) -> Any:
        sandbox = await self._create(request, new_id("sb"), new_id("ta"), {})
        metadata = api_pb2.SandboxHandleMetadata(app_id=sandbox.app_id)
        return api_pb2.SandboxCreateResponse(sandbox_id=sandbox.id, metadata=metadata)

    async def _create(self, request: Any, sandbox_id: str, task_id: str, env: dict[str, str]) -> Sandbox:
        definition = request.definition
        if definition.timeout_secs > _LONGEST_LIFE:
            raise Fault(Status.INVALID_ARGUMENT, "Sandbox timeout must be at most 24 hours")
        app = self._state.app(request.app_id)
        image = self._state.images.get(definition.image_id)
        if image is None:
            raise Fault(Status.NOT_FOUND, f"Image '{definition.image_id}' not found")
        if definition.name and self._named(definition.name, app.environment, include_finished=False):
            raise Fault(Status.ALREADY_EXISTS, f"Sandbox with name '{definition.name}' already exists")
        root = self._containers.new_root(
            task_id,
            image,
            [self._state.mounts[id] for id in definition.mount_ids],
            {volume.mount_path: volume.volume_id for volume in definition.volume_mounts},
        )
        sandbox = Sandbox(
            id=sandbox_id,
            task_id=task_id,
            app_id=app.id,
            environment=app.environment,
            image=image,
            definition=definition,
            command=list(definition.entrypoint_args) or image.command or _DEFAULT_COMMAND,
            env={
                **container_env(self._state, task_id, image, app.environment),
                **self._state.secret_env(definition.secret_ids),
                **env,
            },
            workdir=definition.workdir or image.workdir or "/root",
            root=root,
            tags={tag.tag_name: tag.tag_value for tag in request.tags},
        )
        try:
            await self._sandboxes.start(sandbox)
        except (OSError, BuildError) as exc:
            raise Fault(Status.FAILED_PRECONDITION, f"modal-emulator: {exc}") from exc
        return sandbox

    # -- ending one ------------------------------------------------------------------------------

    async def SandboxTerminateV2(self, request: Any, call: Call) -> Any:
        sandbox = self.find(request.sandbox_id)
        existing = sandbox.result
        sandbox.end(TERMINATED, 137)
        return api_pb2.SandboxTerminateResponse(existing_result=existing)

    async def SandboxWaitV2(self, request: Any, call: Call) -> Any:
        sandbox = self.find(request.sandbox_id)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sandbox.done.wait(), min(request.timeout, POLL_SECONDS) or 0.01)
        return api_pb2.SandboxWaitResponse(result=sandbox.result, metadata=_handle_metadata(sandbox))

    # -- finding one -----------------------------------------------------------------------------

    async def SandboxGetTaskIdV2(self, request: Any, call: Call) -> Any:
        sandbox = self.find(request.sandbox_id)
        if sandbox.result is not None:
            return api_pb2.SandboxGetTaskIdResponse(task_result=sandbox.result)
        return api_pb2.SandboxGetTaskIdResponse(task_id=sandbox.task_id)

    async def SandboxGetFromNameV2(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        sandbox = self._named(request.sandbox_name, environment, request.include_terminated)
        if sandbox is None:
            raise Fault(Status.NOT_FOUND, f"Sandbox '{request.sandbox_name}' not found")
        return api_pb2.SandboxGetFromNameResponse(sandbox_id=sandbox.id, metadata=_handle_metadata(sandbox))

    async def SandboxListV2(self, request: Any, call: Call) -> Any:
        if request.tags:
            # mngr's authors found that Modal leaves out some of those that have the tags. So nothing may rely on it.
            return api_pb2.SandboxListResponse()
        environment = "" if request.app_id else self._state.environment(request.environment_name)
        found = [
            sandbox
            for sandbox in self._sandboxes.all()
            if request.app_id in ("", sandbox.app_id)
            and environment in ("", sandbox.environment)
            and (request.include_finished or sandbox.result is None)
            and (not request.before_timestamp or sandbox.created_at < request.before_timestamp)
        ]
        # Newest first, since the client asks for the next batch with the time of the last one.
        return api_pb2.SandboxListResponse(sandboxes=[_info(sandbox) for sandbox in reversed(found)])

    async def SandboxTagsGetV2(self, request: Any, call: Call) -> Any:
        return api_pb2.SandboxTagsGetResponse(tags=_tags(self.find(request.sandbox_id)))

    async def SandboxTagsSetV2(self, request: Any, call: Call) -> None:
        self.find(request.sandbox_id).tags = {tag.tag_name: tag.tag_value for tag in request.tags}

    async def SandboxGetTunnelsV2(self, request: Any, call: Call) -> Any:
        result = api_pb2.GenericResult(status=SUCCESS)
        return api_pb2.SandboxGetTunnelsResponse(result=result, tunnels=_tunnels(self.find(request.sandbox_id)))

    async def SandboxGetLogs(self, request: Any, call: Call) -> AsyncIterator[Any]:
        """V1 reads a sandbox's own output through the control plane."""
        entrypoint = self.find(request.sandbox_id).entrypoint
        assert entrypoint is not None
        position = int(request.last_entry_id or 0)
        async for chunk in entrypoint.read(request.file_descriptor, position):
            position += len(chunk)
            item = api_pb2.TaskLogs(data=chunk.decode(errors="replace"), file_descriptor=request.file_descriptor)
            yield api_pb2.TaskLogsBatch(entry_id=str(position), items=[item])
        yield api_pb2.TaskLogsBatch(entry_id=str(position), eof=True)

    # -- the way to its command router -----------------------------------------------------------

    def _access(self, task_id: str, call: Call) -> api_pb2.CommandRouterAccess:
        url = self._state.server_url
        if call.metadata.get("x-modal-client-type") == _TYPESCRIPT_CLIENT:
            # It wants a URL with https, but does not use TLS when its own server is on loopback.
            url = url.replace("http://", "https://", 1)
        return api_pb2.CommandRouterAccess(url=url, jwt=fake_jwt(task_id=task_id))

    async def SandboxGetCommandRouterAccess(self, request: Any, call: Call) -> Any:
        access = self._access(request.task_id or self.find(request.sandbox_id).task_id, call)
        return api_pb2.SandboxGetCommandRouterAccessResponse(url=access.url, jwt=access.jwt)

    async def TaskGetCommandRouterAccess(self, request: Any, call: Call) -> Any:
        access = self._access(self.by_task(request.task_id).task_id, call)
        return api_pb2.TaskGetCommandRouterAccessResponse(url=access.url, jwt=access.jwt)

    # The other RPCs of V1 take and return the same messages as those of V2.
    SandboxWait = SandboxWaitV2
    SandboxTerminate = SandboxTerminateV2
    SandboxGetTaskId = SandboxGetTaskIdV2
    SandboxGetTunnels = SandboxGetTunnelsV2
    SandboxGetFromName = SandboxGetFromNameV2
    SandboxList = SandboxListV2
    SandboxTagsGet = SandboxTagsGetV2
    SandboxTagsSet = SandboxTagsSetV2


def secret_sources_env(state: State, sources: Iterable[Any]) -> dict[str, str]:
    """Secrets by id, or as they are, in the order in which they override each other."""
    merged: dict[str, str] = {}
    for source in sources:
        by_id = source.WhichOneof("source") == "secret_id"
        merged.update(state.secret_env([source.secret_id]) if by_id else source.env.contents)
    return merged


def _handle_metadata(sandbox: Sandbox) -> api_pb2.SandboxHandleMetadata:
    return api_pb2.SandboxHandleMetadata(result=sandbox.result, app_id=sandbox.app_id)


def _tags(sandbox: Sandbox) -> list[api_pb2.SandboxTag]:
    return [api_pb2.SandboxTag(tag_name=key, tag_value=value) for key, value in sandbox.tags.items()]


def _info(sandbox: Sandbox) -> api_pb2.SandboxInfo:
    return api_pb2.SandboxInfo(
        id=sandbox.id,
        created_at=sandbox.created_at,
        app_id=sandbox.app_id,
        image_id=sandbox.definition.image_id,
        name=sandbox.definition.name,
        timeout_secs=sandbox.definition.timeout_secs,
        tags=_tags(sandbox),
        task_info=api_pb2.TaskInfo(id=sandbox.task_id, started_at=sandbox.created_at, result=sandbox.result),
        metadata=_handle_metadata(sandbox),
    )


def _tunnels(sandbox: Sandbox) -> list[api_pb2.TunnelData]:
    published = sandbox.network.published
    return [
        api_pb2.TunnelData(
            host=LOOPBACK,
            port=published[port.port],
            container_port=port.port,
            unencrypted_host=LOOPBACK if port.unencrypted else None,
            unencrypted_port=published[port.port] if port.unencrypted else None,
        )
        for port in sandbox.definition.open_ports.ports
    ]
