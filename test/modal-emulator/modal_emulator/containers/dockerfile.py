"""Reading Dockerfile commands, and which of them an emulator leaves out."""

import fnmatch
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

RunPolicy = Literal["offline", "pip"]

# What no build does: any RUN that names a package manager or a download (or debconf, which only serves apt).
_DOWNLOADS = re.compile(
    r"(?<![\w./-])(apt-get|apt|apk|yum|dnf|curl|wget|conda|micromamba|npm|npx)\s|debconf-set-selections"
)
_PYTHON_INSTALLS = re.compile(r"(?<![\w./-])(pip3?|uv)\s")


def reason_to_skip(command: str, policy: RunPolicy) -> str:
    """Why a RUN is recorded only; "" when it is executed."""
    if _DOWNLOADS.search(command):
        return f"installs or downloads (--run {policy})"
    if policy == "offline" and _PYTHON_INSTALLS.search(command):
        return "installs Python packages (--run offline)"
    return ""


def parse_dockerfile(commands: Iterable[str]) -> list[tuple[str, str]]:
    """(INSTRUCTION, argument) pairs: comments dropped, continuation lines joined."""
    steps: list[tuple[str, str]] = []
    pending = ""
    for line in "\n".join(commands).splitlines():
        if line.lstrip().startswith("#") or (not line.strip() and not pending):
            continue
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + " "
            continue
        word, _, argument = (pending + line).strip().partition(" ")
        pending = ""
        if word:
            steps.append((word.upper(), argument.strip()))
    return steps


def parse_env(argument: str, known: dict[str, str]) -> dict[str, str]:
    """What an ENV sets, in both of its forms; `known` is what its values may refer to."""

    def expand(text: str) -> str:
        return re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], ""), text)

    words = shlex.split(argument)
    if words and "=" not in words[0]:
        return {words[0]: expand(" ".join(words[1:]))}
    return {key: expand(value) for key, _, value in (word.partition("=") for word in words)}


@dataclass(frozen=True)
class Copy:
    """A COPY or ADD: `destination` is absolute."""

    sources: tuple[str, ...]
    destination: str
    into_directory: bool  # as far as the words say; a destination that is a directory counts too
    origin: str  # of --from

    @classmethod
    def parse(cls, argument: str, workdir: str) -> "Copy":
        words = shlex.split(argument)
        origin = next((word.removeprefix("--from=") for word in words if word.startswith("--from=")), "")
        *sources, target = [word for word in words if not word.startswith("--")]
        destination = posixpath.normpath(posixpath.join(workdir or "/", target))
        return cls(tuple(sources), destination, target.endswith(("/", ".")) or len(sources) > 1, origin)

    def places(self, source: str, files: Iterable[str], into_directory: bool) -> Iterator[tuple[str, str]]:
        """(file of the context, absolute path inside) for each of `files` that `source` names."""
        pattern = posixpath.normpath("/" + source.lstrip("/"))
        for file in files:
            path = posixpath.normpath("/" + file.lstrip("/"))
            if pattern == "/":
                relative = path.lstrip("/")
            elif path == pattern or fnmatch.fnmatchcase(path, pattern):
                relative = posixpath.basename(path) if into_directory else ""
            elif path.startswith(pattern + "/"):
                relative = posixpath.relpath(path, pattern)
            else:
                continue
            yield file, posixpath.join(self.destination, relative).rstrip("/")
