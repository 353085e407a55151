"""Calls of functions: queueing them, and running a container for each.

Modal keeps a container warm for further inputs. Here every input gets a container of its own, which ends after it;
as many run at a time as the function's max_containers says, and further calls wait in their order.
"""

import asyncio
import time
from collections import defaultdict

from modal_proto import api_pb2

from ..containers.captured import Captured
from ..containers.containers import Containers
from ..ids import new_id
from ..records import App, Function, FunctionCall, LogLine
from ..results import INTERNAL_FAILURE, TIMEOUT, Status
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
        self.kill(pending.task_id)

    def kill(self, task_id: str) -> None:
        """End a container, if it runs."""
        if process := self._processes.get(task_id):
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
