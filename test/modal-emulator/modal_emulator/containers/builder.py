"""Image builds: each image's Dockerfile commands are carried out on top of its parent, as one layer."""

import asyncio
import json
import os
import posixpath
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from ..records import Image, Mount
from ..state import Blobs
from .base_layer import NAME as BASE_LAYER
from .base_layer import BuildError, make_base_layer
from .captured import spawn
from .client_python import ClientPython
from .dockerfile import Copy, RunPolicy, parse_dockerfile, parse_env, reason_to_skip
from .namespaces import BASE_ENV, Namespaces, Root, new_layer

# pip finds this machine's certificates in its /etc; uv needs a setting for that.
_UV_ENV = {"UV_SYSTEM_CERTS": "true"}

Log = Callable[[str], None]
Context = dict[str, tuple[Path, int]]  # name in the build context -> file, mode


class Builder:
    def __init__(self, directory: Path, blobs: Blobs, client: ClientPython, namespaces: Namespaces, policy: RunPolicy):
        self._layers = directory / "layers"
        self._tasks = directory / "tasks"
        self._blobs = blobs
        self._client = client
        self._namespaces = namespaces
        self._policy: RunPolicy = policy
        self._base_lock = asyncio.Lock()

    async def build(
        self, image: Image, parent: Image | None, mount: Mount | None, secret_env: dict[str, str], log: Log
    ) -> None:
        """Fill in the image's layers, env, workdir, command and steps.

        :raises BuildError: when a step fails
        """
        assert image.definition is not None
        if parent:
            image.layers, image.env, image.workdir = list(parent.layers), dict(parent.env), parent.workdir
        else:
            image.layers = [await self._base_layer()]
        layer = self._layers / image.id
        shutil.rmtree(layer, ignore_errors=True)
        build = _Build(self, image, new_layer(layer), self._context(image, mount), secret_env, log)
        # add_python=: a mount of Modal's own with a standalone Python.
        build.brings_python = mount is not None and bool(mount.name)
        for number, (word, argument) in enumerate(parse_dockerfile(image.definition.dockerfile_commands)):
            log(f"=> Step {number}: {word} {argument}\n")
            step = {"instruction": word, "argument": argument, "outcome": "done"}
            image.steps.append(step)
            try:
                step["outcome"] = await build.carry_out(word, argument) or "done"
            except BuildError as error:
                step["outcome"] = str(error)
                raise
        image.layers.append(image.id)

    async def _base_layer(self) -> str:
        async with self._base_lock:
            if not (self._layers / BASE_LAYER).exists():
                try:
                    await make_base_layer(self._layers, self._client, self._namespaces, self._policy)
                except BaseException:  # half of one is worse than none
                    shutil.rmtree(self._layers / BASE_LAYER, ignore_errors=True)
                    raise
        return BASE_LAYER

    def _context(self, image: Image, mount: Mount | None) -> Context:
        assert image.definition is not None
        context = {f.filename: (self._blobs.path(f.sha256_hex), f.mode or 0o644) for f in mount.files} if mount else {}
        for file in image.definition.context_files:
            key = f"context-{image.id}-{len(context)}"
            self._blobs.put(key, file.data)
            context[file.filename] = (self._blobs.path(key), 0o644)
        return context

    def has_directory(self, layers: list[Path], path: str) -> bool:
        in_usr = path == "/usr" or path.startswith("/usr/")
        inside = path.lstrip("/") if in_usr else "root" + path
        return any((layer / inside).is_dir() for layer in layers) or (in_usr and Path(path).is_dir())

    def stand_in(self, program: str) -> str | None:
        """A program of this machine, for one of an image that is never pulled."""
        folders = [str(Path(sys.executable).parent), str(self._client.bin), os.environ.get("PATH", os.defpath)]
        return shutil.which(program, path=os.pathsep.join(folders))

    def fresh_stage(self, image: Image) -> Path:
        stage = self._tasks / f"stage-{image.id}"
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        return stage

    async def run_in_layer(
        self, image: Image, layer: Path, argv: list[str], secret_env: dict[str, str], log: Log, stage: Path | None
    ) -> int:
        # Whatever a list of skipped commands misses has no network.
        root = Root(f"build-{image.id}", image.layers, layer, stage=stage, isolate_network=self._policy == "offline")
        command = self._namespaces.enter_command(root, image.workdir or "/", argv)
        env = {**BASE_ENV, **_UV_ENV, **image.env, **secret_env}
        done = await spawn(command, env, on_output=lambda fd, chunk: log(chunk.decode(errors="replace")))
        code = await done.wait()
        if stage and code != 0:
            raise BuildError("could not copy files into the image: " + done.output[2].decode(errors="replace"))
        return code

    def reason_to_skip(self, command: str) -> str:
        return reason_to_skip(command, self._policy)

    def layer_paths(self, image: Image) -> list[Path]:
        return [self._layers / name for name in image.layers]


class _Build:
    """One image's build."""

    def __init__(
        self, builder: Builder, image: Image, layer: Path, context: Context, secret_env: dict[str, str], log: Log
    ):
        self._builder = builder
        self._image = image
        self._layer = layer
        self._context = context
        self._secret_env = secret_env
        self._log = log
        self.brings_python = False

    async def carry_out(self, word: str, argument: str) -> str:
        """Returns what became of it, when that is more than "done"."""
        image = self._image
        match word:
            case "FROM":
                if image.parent:
                    return ""
                image.registry_tag = argument.split()[0]
                return "host distribution stands in for the registry image"
            case "ENV":
                image.env.update(parse_env(argument, {**BASE_ENV, **image.env}))
            case "ARG":
                key, _, default = argument.partition("=")
                assert image.definition is not None
                image.env.setdefault(key, dict(image.definition.build_args).get(key, default))
            case "WORKDIR":
                image.workdir = posixpath.normpath(posixpath.join(image.workdir or "/", argument))
                stage = self._builder.fresh_stage(image)
                (stage / image.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
                await self._put(stage)
            case "COPY" | "ADD":
                return await self._copy(argument)
            case "CMD":
                image.command = _argv(argument)
            case "RUN":
                return await self._run(argument)
            case _:
                return "recorded only"
        return ""

    async def _run(self, argument: str) -> str:
        links_python = argument.startswith("ln -s /usr/local/bin/python3 ")
        if reason := (
            "the base layer has a Python already"
            if self.brings_python and links_python
            else self._builder.reason_to_skip(argument)
        ):
            self._log(f"   (modal-emulator: not run: {reason})\n")
            return f"skipped: {reason}"
        command = re.sub(r"^(--\S+\s+)+", "", argument)
        code = await self._builder.run_in_layer(
            self._image, self._layer, _argv(command), self._secret_env, self._log, None
        )
        if code != 0:
            raise BuildError(f"RUN {command} exited with code {code}")
        return ""

    async def _copy(self, argument: str) -> str:
        if self.brings_python:
            return "skipped: the base layer has a Python already"
        copy = Copy.parse(argument, self._image.workdir)
        layers = [self._layer, *self._builder.layer_paths(self._image)]
        into_directory = copy.into_directory or self._builder.has_directory(layers, copy.destination)
        stage = self._builder.fresh_stage(self._image)
        note = ""
        if copy.origin:
            note = self._stage_stand_ins(copy, into_directory, stage)
            self._log(f"   (modal-emulator: {note})\n")
        else:
            self._stage_files(copy, into_directory, stage)
        await self._put(stage)
        return note

    async def _put(self, stage: Path) -> None:
        await self._builder.run_in_layer(self._image, self._layer, ["true"], {}, self._log, stage)

    def _stage_files(self, copy: Copy, into_directory: bool, stage: Path) -> None:
        for source in copy.sources:
            places = list(copy.places(source, self._context, into_directory))
            if not places:
                raise BuildError(f"COPY failed: {source!r} is not in the build context")
            for name, inside in places:
                blob, mode = self._context[name]
                place = stage / inside.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(blob, place)
                place.chmod(mode)

    def _stage_stand_ins(self, copy: Copy, into_directory: bool, stage: Path) -> str:
        """COPY --from another image, which is never pulled: this machine's programs of the same names stand in."""
        if not re.search(r"[/:.]", copy.origin):
            raise BuildError(f"COPY --from={copy.origin}: the emulator does not build multi-stage images")
        notes = []
        for source in copy.sources:
            name = posixpath.basename(source)
            program = self._builder.stand_in(name)
            if program is None:
                notes.append(f"skipped {source}: {copy.origin} is not pulled and the host has no {name!r}")
                continue
            inside = posixpath.join(copy.destination, name) if into_directory else copy.destination
            place = stage / inside.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(program, place)
            notes.append(f"the host's {name} stands in for {copy.origin}{source}")
        return "; ".join(notes)


def _argv(argument: str) -> list[str]:
    """The exec form (a JSON array), or the shell form."""
    return json.loads(argument) if argument.startswith("[") else ["/bin/sh", "-c", argument]
