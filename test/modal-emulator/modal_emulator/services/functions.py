"""Functions: what an app's deployment declares, and finding one by name."""

from typing import Any

from grpclib import Status
from modal_proto import api_pb2

from ..cron import Cron, CronError
from ..ids import new_id
from ..records import Function
from ..rpc import Call, Fault
from ..state import State
from .definitions import definition_id, frozen


class Functions:
    def __init__(self, state: State):
        self._state = state

    async def FunctionPrecreate(self, request: Any, call: Call) -> Any:
        function = self._function(request.existing_function_id, request.app_id, request.function_name)
        function.precreate = request
        self._give_web_url(function, request.webhook_config)
        return api_pb2.FunctionPrecreateResponse(function_id=function.id, handle_metadata=function.handle_metadata())

    async def FunctionCreate(self, request: Any, call: Call) -> Any:
        app = self._state.app(request.app_id)
        # A function with a list of acceptable GPUs sends one definition per GPU.
        data = _function_data(request.function) if request.HasField("function") else request.function_data
        definition = data.ranked_functions[0].function
        _check_schedule(definition)
        function = self._function(request.existing_function_id, app.id, definition.function_name)
        function.definition = frozen(definition)
        function.definition_id = definition_id(definition)
        self._give_web_url(function, definition.webhook_config)
        return api_pb2.FunctionCreateResponse(
            function_id=function.id,
            function=definition,
            function_data=data,
            handle_metadata=function.handle_metadata(),
        )

    def _function(self, existing_id: str, app_id: str, name: str) -> Function:
        id = existing_id or new_id("fu")
        return self._state.functions.setdefault(id, Function(id, app_id, name))

    def _give_web_url(self, function: Function, webhook: api_pb2.WebhookConfig) -> None:
        if webhook.type != api_pb2.WEBHOOK_TYPE_UNSPECIFIED:
            function.web_url = f"{self._state.http_url}/web/{function.id}"

    async def FunctionGet(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        app = self._state.deployed_app(request.app_name, environment)
        id = app.function_ids.get(request.object_tag) if app else None
        if id is None:
            missing = f"App '{request.app_name}'" if app is None else f"Function '{request.object_tag}'"
            raise Fault(Status.NOT_FOUND, f"{missing} not found in environment '{environment}'")
        function = self._state.functions[id]
        assert function.definition is not None
        return api_pb2.FunctionGetResponse(
            function_id=id,
            handle_metadata=function.handle_metadata(),
            function=_function_data(function.definition),
        )


def _check_schedule(definition: api_pb2.Function) -> None:
    """The client never looks inside a cron expression, so a server has to. The wording is invented."""
    schedule = definition.schedule
    if schedule.WhichOneof("schedule_oneof") != "cron":
        return
    try:
        Cron(schedule.cron.cron_string, schedule.cron.timezone)
    except CronError as exc:
        raise Fault(
            Status.INVALID_ARGUMENT,
            f"Function '{definition.function_name}' has an invalid cron schedule {schedule.cron.cron_string!r}: {exc}",
        ) from exc


def _function_data(definition: api_pb2.Function) -> api_pb2.FunctionData:
    # The client insists on at least one ranked function in the reply.
    ranked = api_pb2.FunctionData.RankedFunction(rank=0, function=definition)
    return api_pb2.FunctionData(
        module_name=definition.module_name,
        function_name=definition.function_name,
        function_type=definition.function_type,
        timeout_secs=definition.timeout_secs,
        schedule=definition.schedule if definition.HasField("schedule") else None,
        ranked_functions=[ranked],
    )
