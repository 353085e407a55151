"""The image of a `pinned` changeling's agents: the repository's Dockerfile, with one commit of it inside."""

import os
import re
import shutil
import tarfile
from pathlib import Path

TARBALL = "repo.tar.gz"
# Where prepare.sh finds it.
_PLACE = "/changeling/repo.tar.gz"
# For a repository without a Dockerfile: the packages that mngr's Modal provider would otherwise install in each sandbox.
_PLAIN = """\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
ca-certificates openssh-server tmux curl rsync git jq xxd util-linux && rm -rf /var/lib/apt/lists/*
"""


class ImageError(Exception):
    """The image can't be built, for the reason in the message."""


def build_context(tarball: Path, folder: Path) -> tuple[Path, Path]:
    """Writes a build context to an empty folder.

    Returns the paths of the Dockerfile and of the context. Raises ImageError for a Dockerfile that mngr can't build.
    """
    context = folder / "context"
    context.mkdir(parents=True)
    with tarfile.open(tarball) as tar:
        has_dockerfile = any(member.name.removeprefix("./") == "Dockerfile" for member in tar)
    text = _PLAIN
    if has_dockerfile:
        with tarfile.open(tarball) as tar:
            tar.extractall(context, filter="tar")
        shutil.rmtree(context / ".git", ignore_errors=True)
        _remove_links_out(context)
        if not (context / "Dockerfile").is_file():
            raise ImageError("the repository's Dockerfile is not a file in it")
        text = (context / "Dockerfile").read_text(encoding="utf-8")
        with open(context / ".dockerignore", "a", encoding="utf-8") as ignored:
            ignored.write(f"\n!{TARBALL}\n")
    shutil.copyfile(tarball, context / TARBALL)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile_with_tarball(text), encoding="utf-8")
    return dockerfile, context


def _remove_links_out(context: Path) -> None:
    """mngr follows links when it uploads the context, so a link that leads out would upload this container's files."""
    inside = context.resolve()
    for folder, folders, files in os.walk(context):
        for path in (Path(folder, name) for name in [*folders, *files]):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                path.unlink()


def _joined(text: str) -> str:
    """Removes comments, and joins continued lines."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*(#|$)", line)]
    return re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))


def dockerfile_with_tarball(text: str) -> str:
    """Adds the tarball to a Dockerfile. Raises ImageError if it has several stages."""
    # `up` rejects heredocs, because mngr would parse their lines as instructions.
    instructions = re.findall(r"(?i)^[ \t]*(FROM|USER)[ \t]", _joined(text), re.MULTILINE)
    if [word.upper() for word in instructions].count("FROM") > 1:
        raise ImageError(
            'the repository\'s Dockerfile has several stages, which mngr does not build on Modal'
        )
    # mngr installs ssh and its own files as root.
    as_root = "USER root\n" if any(word.upper() == "USER" for word in instructions) else ""
    return f"{text.rstrip()}\n{as_root}COPY {TARBALL} {_PLACE}\n"
