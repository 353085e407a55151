"""Images: known by the content of their definition, built in the background, their log streamed."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from grpclib import Status
from modal_proto import api_pb2

from ..containers.base_layer import BuildError
from ..containers.builder import Builder
from ..ids import content_id, new_id
from ..records import Image
from ..results import FAILURE, POLL_SECONDS, SUCCESS
from ..rpc import Call, Fault
from ..state import State


class Images:
    def __init__(self, state: State, builder: Builder):
        self._state = state
        self._builder = builder
        self._builds: set[asyncio.Task[None]] = set()

    def _metadata(self, image: Image) -> api_pb2.ImageMetadata:
        return api_pb2.ImageMetadata(image_builder_version=image.builder_version, workdir=image.workdir or None)

    async def ImageGetOrCreate(self, request: Any, call: Call) -> Any:
        parent = request.image.base_images[0].image_id if request.image.base_images else ""
        key = request.image.SerializeToString(deterministic=True) + request.builder_version.encode()
        wants_new = request.force_build or request.ignore_cache
        id = new_id("im") if wants_new else content_id("im", key)
        image = self._state.images.get(id)
        if image is None or image.status == FAILURE:
            image = Image(id, request.builder_version, request.image, parent)
            self._state.images[id] = image
            build = asyncio.create_task(self._build(image))
            self._builds.add(build)
            build.add_done_callback(self._builds.discard)
        reply = api_pb2.ImageGetOrCreateResponse(image_id=id)
        if image.status == SUCCESS:  # a cached image: the client asks for no build log
            reply.result.status = SUCCESS
            reply.metadata.CopyFrom(self._metadata(image))
        return reply

    async def _build(self, image: Image) -> None:
        def log(text: str) -> None:
            image.log.append(text)
            image.changed.set()

        definition = image.definition
        assert definition is not None
        log(f"Building image {image.id}\n")
        started = time.monotonic()
        try:
            await self._builder.build(
                image,
                self._state.images.get(image.parent),
                self._state.mounts.get(definition.context_mount_id),
                self._state.secret_env(definition.secret_ids),
                log,
            )
            log(f"Built image {image.id} in {time.monotonic() - started:.2f}s\n")
            image.status = SUCCESS
        except Exception as exc:
            image.error = str(exc) if isinstance(exc, BuildError) else repr(exc)
            log(f"{image.error}\n")
            image.status = FAILURE
        image.changed.set()

    async def ImageJoinStreaming(self, request: Any, call: Call) -> AsyncIterator[Any]:
        image = self._find(request.image_id)
        position = int(request.last_entry_id or 0)
        deadline = time.monotonic() + min(request.timeout or POLL_SECONDS, POLL_SECONDS)
        while True:
            while position < len(image.log):
                position += 1
                line = api_pb2.TaskLogs(
                    data=image.log[position - 1],
                    timestamp=time.time(),
                    file_descriptor=api_pb2.FILE_DESCRIPTOR_STDOUT,
                )
                yield api_pb2.ImageJoinStreamingResponse(entry_id=str(position), task_logs=[line])
            if image.status:
                result = api_pb2.GenericResult(status=image.status, exception=image.error)
                yield api_pb2.ImageJoinStreamingResponse(result=result, metadata=self._metadata(image), eof=True)
                return
            if time.monotonic() > deadline:
                return
            image.changed.clear()
            with contextlib.suppress(TimeoutError):
                # Bounded, since another reader of the same log may have cleared the event.
                await asyncio.wait_for(image.changed.wait(), 1)

    async def ImageFromId(self, request: Any, call: Call) -> Any:
        image = self._find(request.image_id)
        if image.status != SUCCESS:
            raise Fault(Status.NOT_FOUND, f"Image '{request.image_id}' not found")
        return api_pb2.ImageFromIdResponse(image_id=image.id, metadata=self._metadata(image))

    async def ImageDelete(self, request: Any, call: Call) -> None:
        # Its layer stays: other images and running containers may stand on it.
        if self._state.images.pop(request.image_id, None) is None:
            # Modal's TypeScript SDK looks for this wording.
            raise Fault(Status.FAILED_PRECONDITION, f"Could not find image with ID {request.image_id}")

    def _find(self, image_id: str) -> Image:
        if image_id not in self._state.images:
            raise Fault(Status.NOT_FOUND, f"Image '{image_id}' not found")
        return self._state.images[image_id]
