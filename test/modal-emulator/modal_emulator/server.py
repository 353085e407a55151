"""The emulator as a whole: two gRPC services on one port, HTTP on another, both on loopback."""

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from grpclib.server import Server
from modal_proto import api_pb2, task_command_router_pb2

from .containers.client_python import ClientPython
from .containers.containers import Containers
from .containers.dockerfile import RunPolicy
from .containers.sandbox import Sandboxes
from .containers.socket_helper import LOOPBACK
from .control_api import control_routes
from .faults import Faults
from .http_api import MAX_UPLOAD_BYTES, storage_routes, web_endpoint_routes
from .records import RpcRecord
from .rpc import Call, ProtoService
from .services.apps import Apps
from .services.caller_side import CallerSide
from .services.calls import Calls
from .services.command_router import CommandRouter, check_bearer
from .services.container_side import ContainerSide
from .services.environments import Environments
from .services.files import Files
from .services.functions import Functions
from .services.identity import Identity, check_token
from .services.images import Images
from .services.logs import Logs
from .services.sandboxes import SandboxControl
from .services.schedules import Schedules
from .services.secret_store import Overwrite, SecretStore
from .services.volumes import Volumes
from .state import State


class Emulator:
    def __init__(
        self,
        directory: Path,
        policy: RunPolicy,
        client_python: str,
        sandbox_reaches: list[int],
        secret_overwrite: Overwrite = "keeps-id",
    ):
        self.client = ClientPython.inspect(client_python)
        self._sandbox_reaches = sandbox_reaches
        self._faults = Faults()
        self._state = State(directory)
        containers = Containers(directory, self._state.blobs, policy, self.client)
        self._calls = Calls(self._state, containers)
        self._schedules = Schedules(self._state, self._calls)
        self._sandboxes = Sandboxes(containers)
        self._volumes = Volumes(self._state, containers.volumes)
        self._clock: asyncio.Task[None] | None = None
        apps = Apps(self._state, self._calls, self._sandboxes)
        caller_side = CallerSide(self._state, self._calls)
        control = SandboxControl(self._state, containers, self._sandboxes)
        services = [
            Identity(),
            Environments(self._state, apps),
            SecretStore(self._state, secret_overwrite),
            self._volumes,
            Files(self._state),
            Images(self._state, containers.builder),
            Functions(self._state),
            apps,
            Logs(self._state),
            caller_side,
            ContainerSide(self._state, self._calls),
            control,
        ]
        router = CommandRouter(self._state, containers, self._sandboxes, control)
        modal_client = api_pb2.DESCRIPTOR.services_by_name["ModalClient"]
        command_router = task_command_router_pb2.DESCRIPTOR.services_by_name["TaskCommandRouter"]
        self._grpc = Server(
            [
                ProtoService(modal_client, services, self._gate(check_token), self._recorder("ModalClient")),
                ProtoService(command_router, [router], self._gate(check_bearer), self._recorder("TaskCommandRouter")),
            ]
        )
        app = web.Application(client_max_size=MAX_UPLOAD_BYTES)
        app.add_routes(storage_routes(self._state, self._volumes))
        app.add_routes(web_endpoint_routes(self._state, caller_side))
        app.add_routes(control_routes(self._state, self._calls, self._schedules, self._sandboxes, self._faults))
        # What still waits for a call when the emulator ends is not waited for.
        self._http = web.AppRunner(app, shutdown_timeout=0.1)

    def _gate(self, check: Callable[[Call], None]) -> Callable[[Call], Awaitable[None]]:
        async def gate(call: Call) -> None:
            check(call)
            await self._faults.apply(call)

        return gate

    def _recorder(self, service: str) -> Callable[[Call, str, float], None]:
        rpcs = self._state.rpcs

        def record(call: Call, outcome: str, seconds: float) -> None:
            remote = call.metadata.get("x-modal-client-type") == str(api_pb2.CLIENT_TYPE_CONTAINER)
            caller = "container" if remote else "client"
            rpcs.append(RpcRecord(len(rpcs), time.time(), service, call.method, outcome, round(seconds, 4), caller))

        return record

    async def start(self, live: bool) -> tuple[str, str]:
        """Listen on free ports; returns the URLs of the gRPC and of the HTTP side. `live`: crons follow the clock."""
        listener = socket.create_server((LOOPBACK, 0))
        await self._grpc.start(sock=listener)
        port = listener.getsockname()[1]
        await self._http.setup()
        await web.TCPSite(self._http, LOOPBACK, 0).start()
        http_port = self._http.addresses[0][1]
        self._state.server_url = f"http://{LOOPBACK}:{port}"
        self._state.http_url = f"http://{LOOPBACK}:{http_port}"
        self._sandboxes.reachable_ports = [port, http_port, *self._sandbox_reaches]
        if live:
            self._clock = asyncio.create_task(self._schedules.follow_clock())
        return self._state.server_url, self._state.http_url

    async def stop(self) -> None:
        """End everything that was started, and wait until it is gone."""
        if self._clock:
            self._clock.cancel()
        self._grpc.close()
        await self._calls.end_all()
        await self._sandboxes.end_all()
        await self._http.cleanup()


def say(text: str) -> None:
    print(f"modal_emulator: {text}", file=sys.stderr, flush=True)
