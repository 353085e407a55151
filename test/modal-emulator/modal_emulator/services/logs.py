"""What an app's containers printed."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from modal_proto import api_pb2

from ..records import App
from ..results import POLL_SECONDS
from ..rpc import Call
from ..state import State


class Logs:
    def __init__(self, state: State):
        self._state = state

    async def AppGetLogs(self, request: Any, call: Call) -> AsyncIterator[Any]:
        app = self._state.app(request.app_id)
        position = int(request.last_entry_id or 0)
        deadline = time.monotonic() + min(request.timeout, POLL_SECONDS)
        while True:
            while position < len(app.logs):
                yield _batch(app, position)
                position += 1
            if app.state == api_pb2.APP_STATE_STOPPED:
                yield api_pb2.TaskLogsBatch(app_done=True)
                return
            left = deadline - time.monotonic()
            if left <= 0:
                return
            app.logs_changed.clear()
            try:
                await asyncio.wait_for(app.logs_changed.wait(), left)
            except TimeoutError:
                return

    async def AppFetchLogs(self, request: Any, call: Call) -> Any:
        """The time range that a client asks for is not looked at: it widens it until lines come."""
        app = self._state.app(request.app_id)
        wanted = [
            index
            for index, line in enumerate(app.logs)
            if request.function_call_id in ("", line.function_call_id)
            and request.task_id in ("", line.task_id)
            and request.source in (0, line.fd)
            and request.search_text in line.data
        ]
        if request.limit:
            wanted = wanted[-request.limit :]
        return api_pb2.AppFetchLogsResponse(batches=[_batch(app, index) for index in wanted])


def _batch(app: App, index: int) -> api_pb2.TaskLogsBatch:
    line = app.logs[index]
    item = api_pb2.TaskLogs(
        data=line.data,
        timestamp=line.time,
        timestamp_ns=int(line.time * 1e9),
        file_descriptor=line.fd,
        function_call_id=line.function_call_id,
    )
    return api_pb2.TaskLogsBatch(
        task_id=line.task_id, function_id=line.function_id, entry_id=str(index + 1), items=[item]
    )
