"""The environments of the workspace: each has apps, secrets and volumes of its own."""

from typing import Any

from grpclib import Status
from modal_proto import api_pb2

from ..ids import new_id
from ..rpc import Call, Fault
from ..state import DEFAULT_ENVIRONMENT, WORKSPACE, State
from .apps import Apps

IMAGE_BUILDER_VERSION = "2025.06"  # one that the clients know


class Environments:
    def __init__(self, state: State, apps: Apps):
        self._state = state
        self._apps = apps

    async def EnvironmentGetOrCreate(self, request: Any, call: Call) -> Any:
        name = request.deployment_name or DEFAULT_ENVIRONMENT
        if request.object_creation_type == api_pb2.OBJECT_CREATION_TYPE_CREATE_IF_MISSING:
            self._state.environments.setdefault(name, new_id("en"))
        name = self._state.environment(name)
        settings = api_pb2.EnvironmentSettings(image_builder_version=IMAGE_BUILDER_VERSION)
        return api_pb2.EnvironmentGetOrCreateResponse(
            environment_id=self._state.environments[name],
            metadata=api_pb2.EnvironmentMetadata(name=name, settings=settings),
        )

    async def EnvironmentCreate(self, request: Any, call: Call) -> None:
        if request.name in self._state.environments:
            # mngr looks for "same name" in this message.
            raise Fault(Status.ALREADY_EXISTS, f"An environment with the same name already exists: '{request.name}'")
        self._state.environments[request.name] = new_id("en")

    async def EnvironmentDelete(self, request: Any, call: Call) -> None:
        """Everything in it goes with it, as `modal environment delete` says."""
        name = self._state.environment(request.name)
        for app in list(self._state.apps.values()):
            if app.environment == name:
                self._apps.stop(app, WORKSPACE)
                del self._state.apps[app.id]
        for table in (self._state.secrets, self._state.volumes):
            for id in [id for id, held in table.items() if held.environment == name]:
                del table[id]
        del self._state.environments[name]

    async def EnvironmentList(self, request: Any, call: Call) -> Any:
        return api_pb2.EnvironmentListResponse(
            items=[
                api_pb2.EnvironmentListItem(name=name, environment_id=id, default=name == DEFAULT_ENVIRONMENT)
                for name, id in self._state.environments.items()
            ]
        )
