"""Volumes, as local directories. Containers get them bind-mounted, so every write is seen at once. (On Modal another
container sees it after a commit of the one and a reload of the other, which a program must not forget.)

The client speaks one of two protocols depending on the version a volume reports: V1 uploads whole
files by sha256 through MountPutFile, V2 uploads 8 MiB blocks to URLs that the server names.
"""

import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from grpclib import Status
from modal_proto import api_pb2

from ..ids import new_id
from ..records import Volume
from ..rpc import Call, Fault
from ..state import State, named
from .layout import volume_metadata

_BLOCK = 8 * 1024 * 1024
_SMALL = 1024 * 1024
_TYPE = api_pb2.FileEntry.FileType


class Volumes:
    def __init__(self, state: State, directory: Path):
        self._state = state
        self._directory = directory  # with one folder for each volume
        # What was read, by digest: in memory, because tests search all files for secrets that should be gone.
        self.read_blocks: dict[str, bytes] = {}

    def find(self, volume_id: str) -> Volume:
        if volume_id not in self._state.volumes:
            raise Fault(Status.NOT_FOUND, f"Volume '{volume_id}' not found")
        return self._state.volumes[volume_id]

    def path(self, volume_id: str, path: str) -> Path:
        """A file's place on disk; never outside the volume."""
        root = self._directory / self.find(volume_id).id
        root.mkdir(exist_ok=True)
        place = (root / path.lstrip("/")).resolve()
        if not place.is_relative_to(root.resolve()):
            raise Fault(Status.INVALID_ARGUMENT, f"{path!r} is outside the volume")
        return place

    # -- the volumes themselves ------------------------------------------------------------------

    async def VolumeGetOrCreate(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        name, kind = request.deployment_name, request.object_creation_type
        volume = named(self._state.volumes, name, environment) if name else None
        if volume is None:
            if name and kind == api_pb2.OBJECT_CREATION_TYPE_UNSPECIFIED:
                raise Fault(Status.NOT_FOUND, f"Volume '{name}' not found in environment '{environment}'")
            version = request.version or api_pb2.VOLUME_FS_VERSION_V1
            volume = Volume(new_id("vo"), name, environment, time.time(), version)
            self._state.volumes[volume.id] = volume
        elif kind == api_pb2.OBJECT_CREATION_TYPE_CREATE_FAIL_IF_EXISTS:
            raise Fault(Status.ALREADY_EXISTS, f"Volume '{name}' already exists in environment '{environment}'")
        return api_pb2.VolumeGetOrCreateResponse(
            volume_id=volume.id, version=volume.version, metadata=volume_metadata(volume)
        )

    async def VolumeGetById(self, request: Any, call: Call) -> Any:
        volume = self.find(request.volume_id)
        return api_pb2.VolumeGetByIdResponse(volume_id=volume.id, metadata=volume_metadata(volume))

    async def VolumeList(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        return api_pb2.VolumeListResponse(
            environment_name=environment,
            items=[
                api_pb2.VolumeListItem(
                    label=v.name, volume_id=v.id, created_at=v.created_at, metadata=volume_metadata(v)
                )
                for v in self._state.volumes.values()
                if v.name and v.environment == environment
            ],
        )

    async def VolumeDelete(self, request: Any, call: Call) -> Any:
        volume = self.find(request.volume_id)
        shutil.rmtree(self._directory / volume.id, ignore_errors=True)
        del self._state.volumes[volume.id]

    async def VolumeCommit(self, request: Any, call: Call) -> Any:
        return api_pb2.VolumeCommitResponse(skip_reload=True)

    async def VolumeReload(self, request: Any, call: Call) -> Any:
        return None

    async def VolumeHeartbeat(self, request: Any, call: Call) -> Any:
        return None

    # -- files -----------------------------------------------------------------------------------

    def _existing(self, request: Any) -> Path:
        place = self.path(request.volume_id, request.path)
        if not place.exists():
            raise Fault(Status.NOT_FOUND, f"No such file or directory: {request.path!r}")
        return place

    def _entries(self, request: Any) -> list[api_pb2.FileEntry]:
        place = self._existing(request)
        root = self.path(request.volume_id, "/")
        found = [place] if place.is_file() else sorted(place.rglob("*") if request.recursive else place.iterdir())
        return [
            api_pb2.FileEntry(
                path=str(p.relative_to(root)),
                mtime=int(p.stat().st_mtime),
                type=_TYPE.DIRECTORY if p.is_dir() else _TYPE.FILE,
                size=0 if p.is_dir() else p.stat().st_size,
            )
            for p in found
        ]

    async def VolumeListFiles(self, request: Any, call: Call) -> AsyncIterator[Any]:
        yield api_pb2.VolumeListFilesResponse(entries=self._entries(request))

    async def VolumeListFiles2(self, request: Any, call: Call) -> AsyncIterator[Any]:
        yield api_pb2.VolumeListFiles2Response(entries=self._entries(request))

    async def VolumeGetFile2(self, request: Any, call: Call) -> Any:
        place = self._existing(request)
        if place.is_dir():
            raise Fault(Status.INVALID_ARGUMENT, f"{request.path!r} is a directory")
        size = place.stat().st_size
        base = f"{self._state.http_url}/volumes/{request.volume_id}/{quote(request.path.lstrip('/'))}"
        if size <= _SMALL:
            # As on Modal, who asks gets the file as it is now, also when another writes it before the URL is read.
            data = place.read_bytes()
            size, digest = len(data), hashlib.sha256(data).hexdigest()
            self.read_blocks[digest] = data
            base = f"{self._state.http_url}/blocks/{digest}"
        length = min(request.len or size, size - request.start)
        end, urls = request.start + length, []
        position = request.start
        while position < end:
            stop = min(end, (position // _BLOCK + 1) * _BLOCK)
            urls.append(f"{base}?start={position}&stop={stop}")
            position = stop
        return api_pb2.VolumeGetFile2Response(get_urls=urls, size=size, start=request.start, len=length)

    def _refuse_overwrite(self, request: Any, paths: list[str]) -> None:
        if request.disallow_overwrite_existing_files:
            for path in paths:
                if self.path(request.volume_id, path).exists():
                    raise Fault(Status.ALREADY_EXISTS, f"{path}: already exists")

    async def VolumePutFiles(self, request: Any, call: Call) -> Any:
        self._refuse_overwrite(request, [f.filename for f in request.files])
        for file in request.files:
            place = self.path(request.volume_id, file.filename)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._state.blobs.path(file.sha256_hex), place)
            place.chmod(file.mode or 0o644)

    async def VolumePutFiles2(self, request: Any, call: Call) -> Any:
        self._refuse_overwrite(request, [f.path for f in request.files])
        blobs = self._state.blobs
        missing = []
        for file_index, file in enumerate(request.files):
            for block_index, block in enumerate(file.blocks):
                digest = block.contents_sha256.hex()
                if not blobs.has(digest):
                    url = f"{self._state.http_url}/blocks/{digest}"
                    missing.append(
                        api_pb2.VolumePutFiles2Response.MissingBlock(
                            file_index=file_index, block_index=block_index, put_url=url
                        )
                    )
        if not missing:
            for file in request.files:
                place = self.path(request.volume_id, file.path)
                place.parent.mkdir(parents=True, exist_ok=True)
                with open(place, "wb") as out:
                    for block in file.blocks:
                        out.write(blobs.path(block.contents_sha256.hex()).read_bytes())
                place.chmod(file.mode or 0o644)
        return api_pb2.VolumePutFiles2Response(missing_blocks=missing)

    def put_block(self, digest: str, data: bytes) -> None:
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError("block does not have the announced sha256")
        self._state.blobs.put(digest, data)

    async def VolumeRemoveFile2(self, request: Any, call: Call) -> Any:
        place = self._existing(request)
        if place.is_dir():
            if not request.recursive and any(place.iterdir()):
                raise Fault(Status.INVALID_ARGUMENT, f"{request.path!r} is a directory; use recursive")
            shutil.rmtree(place)
        else:
            os.unlink(place)

    VolumeRemoveFile = VolumeRemoveFile2
