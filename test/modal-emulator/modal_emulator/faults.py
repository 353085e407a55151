"""Faults that a test asks for: RPCs that fail, or that wait until they are let go."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from grpclib import Status

from .rpc import Call, Fault


@dataclass
class RequestedFault:
    method: str
    status: str = ""  # name of a gRPC status; "" holds the RPC instead
    message: str = "a fault that was asked for"
    times: int = 1
    let_go: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    def __init__(self) -> None:
        self._requested: list[RequestedFault] = []

    def replace(self, wanted: list[dict[str, Any]]) -> None:
        """Take new faults in place of those before, and let go of all that is held."""
        for fault in self._requested:
            fault.let_go.set()
        self._requested = [RequestedFault(**each) for each in wanted]
        for fault in self._requested:
            if fault.status:
                Status[fault.status]  # a KeyError for one that does not exist

    def left(self) -> list[dict[str, Any]]:
        """The faults that were asked for last, each with how often it has still to come."""
        return [{"method": each.method, "times": each.times} for each in self._requested]

    async def apply(self, call: Call) -> None:
        for fault in self._requested:
            if fault.method == call.method and fault.times > 0:
                fault.times -= 1
                if fault.status:
                    raise Fault(Status[fault.status], fault.message)
                await fault.let_go.wait()
                return
