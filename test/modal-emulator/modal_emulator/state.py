"""Everything the emulator remembers, and how it is looked up. All is lost when it ends."""

from collections.abc import Iterable
from pathlib import Path

from grpclib import Status
from modal_proto import api_pb2

from .ids import new_id
from .records import App, Function, FunctionCall, Image, Mount, RpcRecord, Secret, Volume
from .rpc import Fault

DEFAULT_ENVIRONMENT = "main"
WORKSPACE = "emulator"


class Blobs:
    """A store of files: those of mounts by their sha256, others by id."""

    def __init__(self, directory: Path):
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        return self._directory / key

    def has(self, key: str) -> bool:
        return self.path(key).exists()

    def put(self, key: str, data: bytes) -> None:
        self.path(key).write_bytes(data)


class State:
    def __init__(self, directory: Path):
        self.blobs = Blobs(directory / "blobs")
        self.server_url = ""  # of the gRPC port, and of the HTTP port: set once they are known
        self.http_url = ""
        self.environments: dict[str, str] = {DEFAULT_ENVIRONMENT: new_id("en")}  # name -> id
        self.apps: dict[str, App] = {}
        self.functions: dict[str, Function] = {}
        self.images: dict[str, Image] = {}
        self.secrets: dict[str, Secret] = {}
        self.volumes: dict[str, Volume] = {}
        self.mounts: dict[str, Mount] = {}
        self.calls: dict[str, FunctionCall] = {}
        self.rpcs: list[RpcRecord] = []

    def environment(self, name: str) -> str:
        """The name, or the default one's, of an environment that exists."""
        name = name or DEFAULT_ENVIRONMENT
        if name not in self.environments:
            # mngr looks for "not found" and the name in this message.
            raise Fault(Status.NOT_FOUND, f"Environment '{name}' not found")
        return name

    def app(self, app_id: str) -> App:
        if app_id not in self.apps:
            raise Fault(Status.NOT_FOUND, f"App '{app_id}' not found")
        return self.apps[app_id]

    def deployed_app(self, name: str, environment: str) -> App | None:
        for app in self.apps.values():
            if (app.name, app.environment, app.state) == (name, environment, api_pb2.APP_STATE_DEPLOYED):
                return app
        return None

    def secret_env(self, secret_ids: Iterable[str]) -> dict[str, str]:
        merged: dict[str, str] = {}
        for secret_id in secret_ids:
            if secret_id not in self.secrets:
                raise Fault(Status.NOT_FOUND, f"Secret '{secret_id}' not found")
            merged.update(self.secrets[secret_id].env)  # a later secret wins, as on Modal
        return merged


def named[T: (Secret, Volume)](table: dict[str, T], name: str, environment: str) -> T | None:
    return next((x for x in table.values() if x.name == name and x.environment == environment), None)
