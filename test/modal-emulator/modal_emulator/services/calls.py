"""Calls of functions: queueing them, running a container for each, and what a caller sees of it.

Modal keeps a container warm for further inputs. Here every input gets a container of its own, which ends after it;
as many run at a time as the function's max_containers says, and further calls wait in their order.
"""

import asyncio
import pickle
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from grpclib import Status as GrpcStatus
from modal_proto import api_pb2

from ..containers.captured import Captured
from ..containers.containers import Containers
from ..ids import new_id
from ..records import App, Function, FunctionCall, LogLine
from ..results import INTERNAL_FAILURE, POLL_SECONDS, TERMINATED, TIMEOUT, Status
from ..rpc import Call, Fault
from ..state import State
from .container_env import container_env
from .layout import app_layout

_ARGUMENTS = "/__modal/container-arguments.bin"
_DEFAULT_TIMEOUT_SECONDS = 300


class Calls:
    def __init__(self, state: State, containers: Containers):
        self._state = state
        self._containers = containers
        self._processes: dict[str, Captured] = {}  # by task id
        self._running: dict[str, int] = defaultdict(int)  # by function id
        self._slots: dict[str, asyncio.Condition] = defaultdict(asyncio.Condition)
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by task id

    # -- starting and ending one -----------------------------------------------------------------

    def start(
        self,
        function: Function,
        trigger: str,
        input: api_pb2.FunctionInput | None = None,
        scheduled_for: str = "",
        data_in: list[bytes] | None = None,
    ) -> FunctionCall:
        """Queue one input for the function; without one, no arguments, as a schedule sends it."""
        input = input or api_pb2.FunctionInput(data_format=api_pb2.DATA_FORMAT_PICKLE)
        input.final_input = True  # its container exits after it
        pending = FunctionCall(
            id=new_id("fc"),
            input_id=new_id("in"),
            function_id=function.id,
            app_id=function.app_id,
            task_id=new_id("ta"),
            trigger=trigger,
            created_at=time.time(),
            input=input,
            scheduled_for=scheduled_for,
            data_in=data_in or [],
        )
        self._state.calls[pending.id] = pending
        task = asyncio.create_task(self._run_in_turn(self._state.apps[function.app_id], function, pending))
        self._tasks[pending.task_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(pending.task_id, None))
        return pending

    def finish(self, pending: FunctionCall, status: Status, message: str) -> None:
        """End a call that has not reported a result, with its container."""
        if not pending.done.is_set():
            self.report(pending, api_pb2.GenericResult(status=status, exception=message))
        if process := self._processes.get(pending.task_id):
            process.kill()

    def report(
        self,
        pending: FunctionCall,
        result: api_pb2.GenericResult,
        data_format: api_pb2.DataFormat.ValueType = api_pb2.DATA_FORMAT_UNSPECIFIED,
    ) -> None:
        """The first result counts."""
        if not pending.done.is_set():
            pending.result, pending.data_format = result, data_format
            pending.finished_at = time.time()
            pending.done.set()

    async def ended(self, pending: FunctionCall) -> None:
        """Wait until its container has gone and the last of its output is read: later than its result comes."""
        if task := self._tasks.get(pending.task_id):
            await task

    async def end_all(self) -> None:
        """Kill every container, and wait until they are gone."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in self._processes.values():
            process.kill()
            await process.wait()

    # -- running one -----------------------------------------------------------------------------

    async def _run_in_turn(self, app: App, function: Function, pending: FunctionCall) -> None:
        definition = function.definition
        assert definition is not None
        limit = definition.concurrency_limit  # max_containers=; 0 is no limit
        slots = self._slots[function.id]
        async with slots:
            await slots.wait_for(lambda: not limit or self._running[function.id] < limit)
            self._running[function.id] += 1
        try:
            if not pending.done.is_set():  # its app may have been stopped meanwhile
                await self._run(app, function, definition, pending)
        except Exception as exc:
            self.finish(pending, INTERNAL_FAILURE, repr(exc))
        finally:
            self._running[function.id] -= 1
            async with slots:
                slots.notify_all()

    async def _run(self, app: App, function: Function, definition: api_pb2.Function, pending: FunctionCall) -> None:
        """Run Modal's own container entrypoint for this input, and account for how it ended."""
        pending.started_at = time.time()
        process = await self._start_container(app, function, definition, pending)
        self._processes[pending.task_id] = process
        limit = definition.timeout_secs or _DEFAULT_TIMEOUT_SECONDS
        try:
            pending.exit_code = await asyncio.wait_for(process.wait(), limit)
            message = f"Container exited with code {pending.exit_code} without reporting a result"
            self.finish(pending, INTERNAL_FAILURE, message)
        except TimeoutError:
            self.finish(pending, TIMEOUT, f"Task's current input in {pending.input_id} hit its timeout of {limit}s")
            pending.exit_code = await process.wait()
        del self._processes[pending.task_id]

    async def _start_container(
        self, app: App, function: Function, definition: api_pb2.Function, pending: FunctionCall
    ) -> Captured:
        image = self._state.images[definition.image_id]
        root = self._containers.new_root(
            pending.task_id,
            image,
            [self._state.mounts[id] for id in definition.mount_ids],
            {volume.mount_path: volume.volume_id for volume in definition.volume_mounts},
        )
        arguments = api_pb2.ContainerArguments(
            task_id=pending.task_id,
            function_id=function.id,
            app_id=app.id,
            function_def=definition,
            environment_name=app.environment,
            app_layout=app_layout(self._state, app),
        )
        assert root.stage is not None
        place = root.stage / _ARGUMENTS.lstrip("/")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(arguments.SerializeToString())
        env = {
            **container_env(self._state, pending.task_id, image, app.environment),
            **self._state.secret_env(definition.secret_ids),
            "MODAL_CONTAINER_ARGUMENTS_PATH": _ARGUMENTS,
        }

        def log(fd: int, data: bytes) -> None:
            stream = api_pb2.FILE_DESCRIPTOR_STDERR if fd == 2 else api_pb2.FILE_DESCRIPTOR_STDOUT
            text = data.decode(errors="replace")
            line = LogLine(time.time(), stream, text, pending.task_id, function.id, pending.id)
            app.logs.append(line)
            app.logs_changed.set()

        entrypoint = ["python", "-m", "modal._container_entrypoint"]
        return await self._containers.start(root, entrypoint, env, image.workdir, log)

    # -- the caller's side -----------------------------------------------------------------------

    async def FunctionMap(self, request: Any, call: Call) -> Any:
        if len(request.pipelined_inputs) != 1:
            raise Fault(GrpcStatus.UNIMPLEMENTED, "modal-emulator runs single calls, not .map()")
        item = request.pipelined_inputs[0]
        pending = self.start(self._state.functions[request.function_id], "remote", item.input)
        return api_pb2.FunctionMapResponse(
            function_call_id=pending.id,
            pipelined_inputs=[api_pb2.FunctionPutInputsResponseItem(idx=item.idx, input_id=pending.input_id)],
        )

    async def FunctionCallFromId(self, request: Any, call: Call) -> Any:
        pending = self._state.calls.get(request.function_call_id)
        if pending is None:
            raise Fault(GrpcStatus.NOT_FOUND, f"Function call '{request.function_call_id}' not found")
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
        self.finish(pending, TERMINATED, "The call was cancelled")

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
        if process := self._processes.get(request.task_id):
            process.kill()

    async def call_web(self, function: Function, scope: dict[str, Any], body: bytes) -> AsyncIterator[api_pb2.Asgi]:
        """Run a web endpoint for one HTTP request, an ASGI scope; yield the ASGI messages it answers with."""
        message = api_pb2.Asgi(http_request=api_pb2.Asgi.HttpRequest(body=body)).SerializeToString()
        arguments = pickle.dumps(((scope,), {}))
        input = api_pb2.FunctionInput(data_format=api_pb2.DATA_FORMAT_PICKLE, args=arguments)
        pending = self.start(function, "web", input, data_in=[message])
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
