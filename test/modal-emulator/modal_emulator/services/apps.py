"""Apps: creating, publishing, stopping and listing them."""

import time
from typing import Any

from google.protobuf.json_format import MessageToDict
from grpclib import Status
from modal_proto import api_pb2

from ..containers.sandbox import Sandboxes
from ..ids import new_id
from ..records import App, Deployment
from ..results import TERMINATED
from ..rpc import Call, Fault
from ..state import WORKSPACE, State
from .calls import Calls
from .definitions import definition_id, frozen
from .layout import app_layout


class Apps:
    def __init__(self, state: State, calls: Calls, sandboxes: Sandboxes):
        self._state = state
        self._calls = calls
        self._sandboxes = sandboxes

    def _lifecycle(self, app: App) -> api_pb2.AppLifecycle:
        lifecycle = api_pb2.AppLifecycle(
            app_state=app.state,
            created_at=app.created_at,
            created_by=WORKSPACE,
            stopped_at=app.stopped_at,
            stopped_by=app.stopped_by,
        )
        if app.deployments:
            lifecycle.deployed_at = app.deployments[-1].deployed_at
            lifecycle.deployed_by = WORKSPACE
            lifecycle.version = app.deployments[-1].version
        return lifecycle

    def _new_app(self, name: str, environment: str, app_state: api_pb2.AppState.ValueType, tags: dict[str, str]) -> App:
        app = App(new_id("ap"), name, environment, app_state, time.time(), tags=tags)
        self._state.apps[app.id] = app
        return app

    # -- creating and finding one ----------------------------------------------------------------

    async def AppGetByDeploymentName(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        reply = api_pb2.AppGetByDeploymentNameResponse(environment_name=environment)
        if app := self._state.deployed_app(request.name, environment):
            reply.app_id = app.id
            reply.lifecycle.CopyFrom(self._lifecycle(app))
            return reply
        for app in self._state.apps.values():  # the last one that matches is the newest
            if (app.name, app.environment) == (request.name, environment) and app.deployments:
                reply.previous_app_id = app.id
                reply.lifecycle.CopyFrom(self._lifecycle(app))
        return reply

    async def AppCreate(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        app = self._new_app(request.description, environment, request.app_state, dict(request.tags))
        page = f"https://modal.com/apps/{WORKSPACE}/{environment}/{app.id}"
        return api_pb2.AppCreateResponse(app_id=app.id, app_page_url=page, app_logs_url=page)

    async def AppGetOrCreate(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        app = self._state.deployed_app(request.app_name, environment)
        if app is None:
            if request.object_creation_type != api_pb2.OBJECT_CREATION_TYPE_CREATE_IF_MISSING:
                raise Fault(Status.NOT_FOUND, f"App '{request.app_name}' not found in environment '{environment}'")
            app = self._new_app(request.app_name, environment, api_pb2.APP_STATE_DEPLOYED, {})
        return api_pb2.AppGetOrCreateResponse(app_id=app.id, handle_metadata=self._handle_metadata(app))

    def _handle_metadata(self, app: App) -> api_pb2.AppHandleMetadata:
        return api_pb2.AppHandleMetadata(
            description=app.name,
            app_id=app.id,
            environment_name=app.environment,
            lifecycle=self._lifecycle(app),
            functions=app.function_ids,
        )

    async def AppGetLayout(self, request: Any, call: Call) -> Any:
        return api_pb2.AppGetLayoutResponse(app_layout=app_layout(self._state, self._state.app(request.app_id)))

    async def AppGetLifecycle(self, request: Any, call: Call) -> Any:
        return api_pb2.AppGetLifecycleResponse(lifecycle=self._lifecycle(self._state.app(request.app_id)))

    async def AppGetInfo(self, request: Any, call: Call) -> Any:
        app = self._state.app(request.app_id)
        reply = api_pb2.AppGetInfoResponse(info=self._handle_metadata(app))
        for id in app.function_ids.values():
            if definition := self._state.functions[id].definition:
                reply.function_info_summaries[id].schedule.CopyFrom(definition.schedule)
        return reply

    async def AppHeartbeat(self, request: Any, call: Call) -> None:
        self._state.app(request.app_id)

    # -- publishing ------------------------------------------------------------------------------

    async def AppPublish(self, request: Any, call: Call) -> Any:
        app = self._state.app(request.app_id)
        # Inferred: the exact rule by which Modal skips a deployment. Its tag does not count here.
        unchanged = (
            bool(app.deployments)
            and request.app_state == api_pb2.APP_STATE_DEPLOYED
            and app.function_ids == dict(request.function_ids)
            and app.tags == dict(request.tags)
            and self._published_definition_ids(app) == dict(request.definition_ids)
        )
        app.function_ids, app.class_ids = dict(request.function_ids), dict(request.class_ids)
        app.tags = dict(request.tags)
        if request.name:
            app.name = request.name
        if request.app_state:
            app.state = request.app_state
        if unchanged:  # deployed_at 0 makes the client say "Deployment skipped: no changes detected!"
            return api_pb2.AppPublishResponse(url=_url(app), deployed_at=0)
        deployment = self._record_deployment(app, call, request.deployment_tag, MessageToDict(request.commit_info))
        return api_pb2.AppPublishResponse(url=_url(app), deployed_at=deployment.deployed_at)

    def _published_definition_ids(self, app: App) -> dict[str, str]:
        definitions = app.deployments[-1].definitions
        return {id: definition_id(definitions[name]) for name, id in app.function_ids.items() if name in definitions}

    def _record_deployment(
        self, app: App, call: Call, tag: str, commit: dict[str, Any], rollback_of: int = 0
    ) -> Deployment:
        functions = {name: self._state.functions[id] for name, id in app.function_ids.items()}
        deployment = Deployment(
            version=len(app.deployments) + 1,
            deployed_at=time.time(),
            client_version=call.metadata.get("x-modal-client-version", ""),
            tag=tag,
            commit=commit,
            function_ids=dict(app.function_ids),
            definitions={name: frozen(f.definition) for name, f in functions.items() if f.definition is not None},
            rollback_of=rollback_of,
        )
        app.deployments.append(deployment)
        return deployment

    async def AppRollback(self, request: Any, call: Call) -> Any:
        app = self._state.app(request.app_id)
        index = request.version - 1 if request.version > 0 else len(app.deployments) - 2
        if not 0 <= index < len(app.deployments):
            raise Fault(Status.NOT_FOUND, f"App '{app.name}' has no version to roll back to")
        target = app.deployments[index]
        for name, id in target.function_ids.items():
            self._state.functions[id].definition = frozen(target.definitions[name])
        app.function_ids = dict(target.function_ids)
        deployment = self._record_deployment(app, call, "", target.commit, rollback_of=target.version)
        return api_pb2.AppRollbackResponse(url=_url(app), deployed_at=deployment.deployed_at)

    # -- ending ----------------------------------------------------------------------------------

    async def AppClientDisconnect(self, request: Any, call: Call) -> None:
        app = self._state.app(request.app_id)
        if app.state in (api_pb2.APP_STATE_INITIALIZING, api_pb2.APP_STATE_EPHEMERAL):
            self.stop(app, "")

    async def AppStop(self, request: Any, call: Call) -> None:
        self.stop(self._state.app(request.app_id), WORKSPACE)

    def stop(self, app: App, by: str) -> None:
        """Ends its containers too, as `modal app stop` says; inferred: that sandboxes count as such."""
        app.state, app.stopped_at, app.stopped_by = api_pb2.APP_STATE_STOPPED, time.time(), by
        for pending in self._state.calls.values():
            if pending.app_id == app.id and not pending.done.is_set():
                self._calls.finish(pending, TERMINATED, "App was stopped")
        self._sandboxes.end_of_app(app.id)
        app.logs_changed.set()

    # -- listing ---------------------------------------------------------------------------------

    async def AppList(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        running = [c.app_id for c in self._state.calls.values() if not c.done.is_set()]
        # Live apps first, newest first (inferred): clients look for the first app with a given description.
        listed = sorted(
            (app for app in self._state.apps.values() if app.environment == environment),
            key=lambda app: (app.state != api_pb2.APP_STATE_STOPPED, app.created_at),
            reverse=True,
        )
        return api_pb2.AppListResponse(
            apps=[
                api_pb2.AppListResponse.AppListItem(
                    app_id=app.id,
                    name=app.name,
                    description=app.name,
                    state=app.state,
                    created_at=app.created_at,
                    stopped_at=app.stopped_at,
                    n_running_tasks=running.count(app.id),
                )
                for app in listed
            ]
        )

    async def AppDeploymentHistory(self, request: Any, call: Call) -> Any:
        app = self._state.app(request.app_id)
        return api_pb2.AppDeploymentHistoryResponse(
            app_deployment_histories=[_history(app, deployment) for deployment in reversed(app.deployments)],
            production_app_version=len(app.deployments),
        )


def _history(app: App, deployment: Deployment) -> api_pb2.AppDeploymentHistory:
    commit = deployment.commit
    return api_pb2.AppDeploymentHistory(
        app_id=app.id,
        version=deployment.version,
        client_version=deployment.client_version,
        deployed_at=deployment.deployed_at,
        deployed_by=WORKSPACE,
        tag=deployment.tag,
        rollback_version=deployment.rollback_of,
        rollback_allowed=True,
        commit_info=api_pb2.CommitInfo(commit_hash=commit.get("commitHash", ""), dirty=commit.get("dirty", False)),
    )


def _url(app: App) -> str:
    return f"https://modal.com/apps/{WORKSPACE}/{app.environment}/deployed/{app.name}"
