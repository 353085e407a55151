"""Containers: their filesystems, starting them, and freezing what they have written."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..records import Image, Mount
from ..state import Blobs
from .base_layer import BuildError
from .builder import Builder
from .captured import Captured, spawn
from .client_python import ClientPython
from .dockerfile import RunPolicy
from .namespaces import BASE_ENV, Namespaces, Root, new_layer, nsenter


class Containers:
    def __init__(self, directory: Path, blobs: Blobs, policy: RunPolicy, client: ClientPython):
        self._layers = directory / "layers"
        self._tasks = directory / "tasks"
        self.volumes = directory / "volumes"
        for path in (self._layers, self._tasks, self.volumes):
            path.mkdir(parents=True, exist_ok=True)
        self._blobs = blobs
        self._namespaces = Namespaces(self._layers, self._tasks, client)
        self._namespaces.check()
        self.builder = Builder(directory, blobs, client, self._namespaces, policy)

    def new_root(self, name: str, image: Image, mounts: list[Mount], volumes: dict[str, str]) -> Root:
        """A fresh filesystem: `volumes` are volume ids by the path inside."""
        place = self._tasks / name
        stage = place / "stage"
        stage.mkdir(parents=True)
        for file in (file for mount in mounts for file in mount.files):
            path = stage / file.filename.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._blobs.path(file.sha256_hex), path)
            path.chmod(file.mode or 0o644)
        binds = {inside: self.volumes / volume_id for inside, volume_id in volumes.items()}
        for outside in binds.values():
            outside.mkdir(exist_ok=True)
        return Root(name, list(image.layers), new_layer(place / "upper"), binds, stage)

    async def start(
        self,
        root: Root,
        argv: list[str],
        env: dict[str, str],
        workdir: str,
        on_output: Callable[[int, bytes], None],
    ) -> Captured:
        """A container that runs one program and ends with it."""
        return await spawn(self._namespaces.enter_command(root, workdir, argv), env, on_output)

    async def start_resident(self, root: Root) -> Captured:
        """A container that stays, so that commands can be run in it one after another."""
        # A shell that waits also reaps what daemons in the container orphan.
        wait = ["/bin/sh", "-c", "echo ready; sleep infinity & wait"]
        keeper = await spawn(self._namespaces.enter_command(root, "/", wait), BASE_ENV)
        async for chunk in keeper.read(1, 0):
            if b"ready" in chunk:
                return keeper
        raise BuildError("the container did not start: " + keeper.output[2].decode(errors="replace"))

    async def run_in_resident(self, keeper: Captured, argv: list[str], env: dict[str, str], workdir: str) -> Captured:
        enter = nsenter(init_pid(keeper), "--mount", "--pid", "--net", "--root", "--wdns=/")
        shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', workdir or "/root", *argv]
        return await spawn([*enter, "--", *shell], env, stdin=True)

    async def snapshot(self, root: Root, image: Image) -> None:
        """Freeze what a container has written as a new layer of `image`."""
        image.layers = [*root.layers, image.id]
        copy = await spawn(["cp", "-a", str(root.upper), str(self._layers / image.id)], {**os.environ, "LC_ALL": "C"})
        code, problems = await copy.wait(), copy.output[2].decode(errors="replace")
        vanished = all("No such file or directory" in line for line in problems.splitlines())
        if code != 0 and not (problems and vanished):  # a live container may delete files under the copy
            raise BuildError(problems)


def init_pid(keeper: Captured) -> int:
    """The first process of a resident container: the child of `unshare`, which setpriv has become."""
    pid = keeper.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
