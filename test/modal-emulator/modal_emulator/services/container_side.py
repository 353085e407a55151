"""What a function's container asks: its input, and where to put what came of it."""

from collections.abc import AsyncIterator
from typing import Any

from modal_proto import api_pb2

from ..records import FunctionCall
from ..rpc import Call
from ..state import State
from .calls import Calls


class ContainerSide:
    def __init__(self, state: State, calls: Calls):
        self._state = state
        self._calls = calls
        self._handed_out: set[str] = set()  # input ids

    def _of_container(self, call: Call) -> FunctionCall | None:
        return next((c for c in self._state.calls.values() if c.task_id == call.task_id), None)

    async def ContainerHello(self, request: Any, call: Call) -> None:
        return None

    async def ContainerHeartbeat(self, request: Any, call: Call) -> Any:
        return api_pb2.ContainerHeartbeatResponse()

    async def FunctionGetInputs(self, request: Any, call: Call) -> Any:
        pending = self._of_container(call)
        if pending is None or pending.input_id in self._handed_out:
            return api_pb2.FunctionGetInputsResponse(inputs=[api_pb2.FunctionGetInputsItem(kill_switch=True)])
        self._handed_out.add(pending.input_id)
        item = api_pb2.FunctionGetInputsItem(
            input_id=pending.input_id,
            function_call_id=pending.id,
            input=pending.input,
            function_call_invocation_type=api_pb2.FUNCTION_CALL_INVOCATION_TYPE_SYNC,
        )
        return api_pb2.FunctionGetInputsResponse(inputs=[item])

    async def FunctionPutOutputs(self, request: Any, call: Call) -> None:
        for output in request.outputs:
            for pending in self._state.calls.values():
                if pending.input_id == output.input_id:
                    self._calls.report(pending, output.result, output.data_format)

    async def FunctionCallGetDataIn(self, request: Any, call: Call) -> AsyncIterator[Any]:
        pending = self._state.calls[request.function_call_id]
        for index, message in enumerate(pending.data_in, 1):
            if index > request.last_index:
                yield api_pb2.DataChunk(data_format=api_pb2.DATA_FORMAT_ASGI, data=message, index=index)
        await pending.done.wait()  # the container asks again as soon as the stream ends

    async def FunctionCallPutDataOut(self, request: Any, call: Call) -> None:
        pending = self._state.calls[request.function_call_id]
        pending.data_out.extend(request.data_chunks)
        pending.data_changed.set()

    async def TaskResult(self, request: Any, call: Call) -> None:
        """The container failed outside of any input: for instance, its module can't be imported."""
        if pending := self._of_container(call):
            self._calls.report(pending, request.result)
