"""What a caller sees of its calls: a client's RPCs, and the answers of web endpoints."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from typing import Any

from grpclib import Status
from modal_proto import api_pb2

from ..records import Function
from ..results import POLL_SECONDS, TERMINATED
from ..rpc import Call, Fault
from ..state import State
from .calls import Calls


class CallerSide:
    def __init__(self, state: State, calls: Calls):
        self._state = state
        self._calls = calls

    async def FunctionMap(self, request: Any, call: Call) -> Any:
        if len(request.pipelined_inputs) != 1:
            raise Fault(Status.UNIMPLEMENTED, "modal-emulator runs single calls, not .map()")
        item = request.pipelined_inputs[0]
        pending = self._calls.start(self._state.functions[request.function_id], "remote", item.input)
        return api_pb2.FunctionMapResponse(
            function_call_id=pending.id,
            pipelined_inputs=[api_pb2.FunctionPutInputsResponseItem(idx=item.idx, input_id=pending.input_id)],
        )

    async def FunctionCallFromId(self, request: Any, call: Call) -> Any:
        pending = self._state.calls.get(request.function_call_id)
        if pending is None:
            raise Fault(Status.NOT_FOUND, f"Function call '{request.function_call_id}' not found")
        return api_pb2.FunctionCallFromIdResponse(
            function_call_id=pending.id,
            num_inputs=1,
            metadata=api_pb2.FunctionCallHandleMetadata(app_id=pending.app_id, function_id=pending.function_id),
        )

    async def FunctionGetOutputs(self, request: Any, call: Call) -> Any:
        pending = self._state.calls[request.function_call_id]
        try:
            await asyncio.wait_for(pending.done.wait(), min(request.timeout, POLL_SECONDS) or 0.01)
        except TimeoutError:
            return api_pb2.FunctionGetOutputsResponse(num_unfinished_inputs=1)
        output = api_pb2.FunctionGetOutputsItem(
            result=pending.result,
            idx=0,
            input_id=pending.input_id,
            data_format=pending.data_format,
            task_id=pending.task_id,
            input_started_at=pending.started_at,
            output_created_at=pending.finished_at,
        )
        return api_pb2.FunctionGetOutputsResponse(idxs=[0], outputs=[output])

    async def FunctionCallCancel(self, request: Any, call: Call) -> None:
        pending = self._state.calls[request.function_call_id]
        self._calls.finish(pending, TERMINATED, "The call was cancelled")

    async def TaskList(self, request: Any, call: Call) -> Any:
        return api_pb2.TaskListResponse(
            tasks=[
                api_pb2.TaskStats(
                    task_id=pending.task_id,
                    app_id=pending.app_id,
                    app_description=self._state.apps[pending.app_id].name,
                    started_at=pending.started_at,
                    enqueued_at=pending.created_at,
                )
                for pending in self._state.calls.values()
                if pending.started_at and not pending.done.is_set() and request.app_id in ("", pending.app_id)
            ]
        )

    async def ContainerStop(self, request: Any, call: Call) -> None:
        self._calls.kill(request.task_id)

    async def call_web(self, function: Function, scope: dict[str, Any], body: bytes) -> AsyncIterator[api_pb2.Asgi]:
        """Run a web endpoint for one HTTP request, an ASGI scope; yield the ASGI messages it answers with."""
        message = api_pb2.Asgi(http_request=api_pb2.Asgi.HttpRequest(body=body)).SerializeToString()
        arguments = pickle.dumps(((scope,), {}))
        input = api_pb2.FunctionInput(data_format=api_pb2.DATA_FORMAT_PICKLE, args=arguments)
        pending = self._calls.start(function, "web", input, data_in=[message])
        finished = asyncio.create_task(pending.done.wait())
        position = 0
        while True:
            pending.data_changed.clear()
            for chunk in pending.data_out[position:]:
                position += 1
                blob = self._state.blobs.path(chunk.data_blob_id).read_bytes() if chunk.data_blob_id else chunk.data
                yield api_pb2.Asgi.FromString(blob)
            if position == len(pending.data_out) and pending.done.is_set():
                return
            changed = asyncio.create_task(pending.data_changed.wait())
            await asyncio.wait([changed, finished], return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
