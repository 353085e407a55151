"""What the emulator remembers, as plain records; the services own the rules. Times are in seconds since the epoch."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from modal_proto import api_pb2

from .results import Status


@dataclass
class Secret:
    id: str
    name: str  # "" for Secret.from_dict
    environment: str
    env: dict[str, str]
    created_at: float


@dataclass
class Volume:
    id: str
    name: str
    environment: str
    created_at: float
    version: api_pb2.VolumeFsVersion.ValueType


@dataclass
class Mount:
    id: str
    name: str  # set for Modal's own global mounts (client package, standalone Python)
    files: list[api_pb2.MountFile]
    checksum: str


@dataclass
class Image:
    id: str
    builder_version: str
    definition: api_pb2.Image | None  # None for a filesystem snapshot
    parent: str  # id of the base image, "" when it starts FROM a registry
    registry_tag: str = ""
    layers: list[str] = field(default_factory=list)  # names of overlay directories, lowest first
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = ""
    command: list[str] = field(default_factory=list)
    steps: list[dict[str, str]] = field(default_factory=list)  # {"instruction", "argument", "outcome"}
    log: list[str] = field(default_factory=list)
    status: Status = api_pb2.GenericResult.GENERIC_STATUS_UNSPECIFIED  # as long as it is being built
    error: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Function:
    id: str
    app_id: str
    name: str
    definition: api_pb2.Function | None = None
    definition_id: str = ""
    precreate: api_pb2.FunctionPrecreateRequest | None = None
    web_url: str = ""

    def handle_metadata(self) -> api_pb2.FunctionHandleMetadata:
        source = self.definition or self.precreate
        metadata = api_pb2.FunctionHandleMetadata(
            function_name=self.name, definition_id=self.definition_id, app_id=self.app_id, web_url=self.web_url
        )
        if source is not None:
            metadata.function_type = source.function_type
            metadata.function_schema.CopyFrom(source.function_schema)
            metadata.supported_input_formats.extend(source.supported_input_formats)
            metadata.supported_output_formats.extend(source.supported_output_formats)
        return metadata


@dataclass
class Deployment:
    version: int
    deployed_at: float
    client_version: str
    tag: str
    commit: dict[str, Any]
    function_ids: dict[str, str]
    definitions: dict[str, api_pb2.Function]  # by the function's name, as they were at publishing
    rollback_of: int = 0


@dataclass
class LogLine:
    time: float
    fd: api_pb2.FileDescriptor.ValueType
    data: str
    task_id: str
    function_id: str
    function_call_id: str


@dataclass
class App:
    id: str
    name: str
    environment: str
    state: api_pb2.AppState.ValueType
    created_at: float
    stopped_at: float = 0.0
    stopped_by: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    function_ids: dict[str, str] = field(default_factory=dict)
    class_ids: dict[str, str] = field(default_factory=dict)
    deployments: list[Deployment] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    logs_changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class FunctionCall:
    """One execution of a function. `trigger`: "cron", "fire" (control API), "remote" (a client), "web" (a request)."""

    id: str
    input_id: str
    function_id: str
    app_id: str
    task_id: str
    trigger: str
    created_at: float
    input: api_pb2.FunctionInput
    scheduled_for: str = ""
    result: api_pb2.GenericResult | None = None
    data_format: api_pb2.DataFormat.ValueType = api_pb2.DATA_FORMAT_UNSPECIFIED
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int | None = None
    data_in: list[bytes] = field(default_factory=list)  # ASGI messages, for a web endpoint
    data_out: list[api_pb2.DataChunk] = field(default_factory=list)
    data_changed: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class RpcRecord:
    index: int
    time: float
    service: str
    method: str
    outcome: str  # "OK", the name of a gRPC status, or "BUG"
    seconds: float
    client: str  # "client" or "container"
