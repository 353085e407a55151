"""Files that clients upload: the mounts of images and functions, and blobs (what is too large for a message)."""

import hashlib
from typing import Any

from grpclib import Status
from modal_proto import api_pb2

from ..ids import content_id, new_id
from ..records import Mount
from ..rpc import Call, Fault
from ..state import State


class Files:
    def __init__(self, state: State):
        self._state = state

    async def MountBatchedCheckExistence(self, request: Any, call: Call) -> Any:
        return api_pb2.MountBatchedCheckExistenceResponse(
            missing_sha256_hex_hashes=[h for h in request.sha256_hex_hashes if not self._state.blobs.has(h)]
        )

    async def MountPutFile(self, request: Any, call: Call) -> Any:
        blobs = self._state.blobs
        if request.WhichOneof("data_oneof") == "data":
            blobs.put(request.sha256_hex, request.data)
        elif request.data_blob_id and blobs.has(request.data_blob_id):
            data = blobs.path(request.data_blob_id).read_bytes()
            if hashlib.sha256(data).hexdigest() != request.sha256_hex:
                raise Fault(Status.INVALID_ARGUMENT, "the uploaded file does not have the announced sha256")
            blobs.put(request.sha256_hex, data)
        return api_pb2.MountPutFileResponse(exists=blobs.has(request.sha256_hex))

    async def MountGetOrCreate(self, request: Any, call: Call) -> Any:
        mount = self._global_mount(request.deployment_name) if request.deployment_name else self._mount(request.files)
        self._state.mounts[mount.id] = mount
        return api_pb2.MountGetOrCreateResponse(
            mount_id=mount.id,
            handle_metadata=api_pb2.MountHandleMetadata(content_checksum_sha256_hex=mount.checksum),
        )

    def _global_mount(self, name: str) -> Mount:
        """One of Modal's own (the client package, standalone Python): always there already."""
        id = content_id("mo", name.encode())
        return Mount(id, name, [], hashlib.sha256(id.encode()).hexdigest())

    def _mount(self, uploaded: Any) -> Mount:
        files = sorted(uploaded, key=lambda file: file.filename)
        for file in files:
            if not self._state.blobs.has(file.sha256_hex):
                raise Fault(Status.FAILED_PRECONDITION, f"{file.filename} was not uploaded")
        digest = hashlib.sha256(repr([(f.filename, f.sha256_hex, f.mode) for f in files]).encode())
        return Mount(content_id("mo", digest.digest()), "", files, digest.hexdigest())

    async def BlobCreate(self, request: Any, call: Call) -> Any:
        id = new_id("bl")
        url = f"{self._state.http_url}/blobs/{id}"
        # Clients up to some version read the first pair, newer ones the second.
        return api_pb2.BlobCreateResponse(
            blob_id=id, upload_url=url, blob_ids=[id], upload_urls=api_pb2.UploadUrlList(items=[url])
        )

    async def BlobGet(self, request: Any, call: Call) -> Any:
        return api_pb2.BlobGetResponse(download_url=f"{self._state.http_url}/blobs/{request.blob_id}")
