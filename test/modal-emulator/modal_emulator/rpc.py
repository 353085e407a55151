"""Serve a protobuf service from plain methods, by reflection.

The generated grpclib base classes are abstract in some 285 methods. Here a service is described by its protobuf
descriptor instead: handler objects supply the methods they know (of the same name as the RPC), and every other RPC
answers UNIMPLEMENTED, which the client prints by name.

A unary handler is `async def Name(self, request, call) -> response`; a server-streaming one is an async generator
of responses; a client-streaming one receives an async iterator of requests.
"""

import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from grpclib import GRPCError, Status
from grpclib.const import Cardinality, Handler

_CARDINALITY = {  # by (client streams, server streams)
    (False, False): Cardinality.UNARY_UNARY,
    (False, True): Cardinality.UNARY_STREAM,
    (True, False): Cardinality.STREAM_UNARY,
    (True, True): Cardinality.STREAM_STREAM,
}


class Fault(Exception):
    """A failure of an RPC that the client is to see, as a gRPC status and message."""

    def __init__(self, status: Status, message: str):
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class Call:
    """What a handler may know of the request besides its message."""

    method: str
    metadata: dict[str, Any]

    @property
    def task_id(self) -> str:
        # Every container is started with it in MODAL_OVERRIDE_HEADERS. Modal's own workers need no such
        # header: they give each container a socket of its own.
        return str(self.metadata.get("x-emulator-task-id", ""))


class ProtoService:
    """What grpclib calls a servicer: an object with `__mapping__`."""

    def __init__(
        self,
        descriptor: Any,
        handlers: Sequence[object],
        gate: Callable[[Call], Awaitable[None]],
        log: Callable[[Call, str, float], None],
    ):
        self._descriptor = descriptor
        self._handlers = handlers
        self._gate = gate
        self._log = log

    def __mapping__(self) -> dict[str, Handler]:
        return {
            f"/{self._descriptor.full_name}/{method.name}": Handler(
                self._bind(method),
                _CARDINALITY[method.client_streaming, method.server_streaming],
                message_factory.GetMessageClass(method.input_type),
                message_factory.GetMessageClass(method.output_type),
            )
            for method in self._descriptor.methods
        }

    def _bind(self, method: Any) -> Callable[[Any], Awaitable[None]]:
        handler = next((found for part in self._handlers if (found := getattr(part, method.name, None))), None)
        empty_reply = message_factory.GetMessageClass(method.output_type)

        async def serve(stream: Any) -> None:
            call = Call(method.name, dict(stream.metadata or {}))
            started, outcome = time.monotonic(), "OK"
            try:
                await self._gate(call)
                if handler is None:
                    raise Fault(Status.UNIMPLEMENTED, f"modal-emulator: {method.name} is not implemented")
                request = stream if method.client_streaming else await stream.recv_message()
                if method.server_streaming:
                    async for reply in handler(request, call):
                        await stream.send_message(reply)
                else:
                    reply = await handler(request, call)
                    await stream.send_message(reply if reply is not None else empty_reply())
            except Fault as fault:
                outcome = fault.status.name
                raise GRPCError(fault.status, fault.message) from None
            except (GRPCError, ConnectionError):
                raise
            except Exception as exc:
                # INTERNAL is tried again by the client; a bug here should fail once and say what it was.
                outcome = "BUG"
                traceback.print_exc()
                raise GRPCError(Status.FAILED_PRECONDITION, f"modal-emulator bug in {method.name}: {exc!r}") from exc
            finally:
                self._log(call, outcome, time.monotonic() - started)

        return serve
