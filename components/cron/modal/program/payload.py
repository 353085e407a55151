"""What a new sandbox is given before its agent: files in /changeling, and the command that unpacks and starts them.

They come inline, never from the runs volume: agents can write there.
"""

import base64
import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

# Where all of it stands in a sandbox.
FOLDER = "/changeling"
# One argument may hold 128 KB on Linux; so much of the payload goes into each.
_CHUNK = 90_000


def payload_files(
    plan: Mapping[str, str], scripts: Mapping[str, Path], keys: list[str], script: str | None
) -> dict[str, bytes]:
    """The files, by their paths below /changeling.

    plan is what the scripts read, each value a file of its own, so that it can hold any character; keys are public
    ssh keys; script is what a stock command agent runs.
    """
    files = {f"plan/{name}": value.encode("utf-8", "surrogatepass") for name, value in plan.items()}
    files |= {name: path.read_bytes() for name, path in scripts.items()}
    files["authorized_keys"] = "".join(f"{key}\n" for key in keys).encode()
    if script is not None:
        files["agent.sh"] = script.encode("utf-8", "surrogatepass")
    return files


def prepare_commands(files: Mapping[str, bytes]) -> list[str]:
    """Shell commands that lay out the files and run prepare.sh; mngr may run each of them more than once.

    Nothing of the files' text is in them as text: base64 has no character that a shell would read.
    """
    packed = base64.b64encode(_tarball(files)).decode("ascii")
    chunks = [packed[at : at + _CHUNK] for at in range(0, len(packed), _CHUNK)]
    place = f"{FOLDER}/payload"
    store = [f"mkdir -p {place} && printf %s {chunk} >{place}/{at:04}" for at, chunk in enumerate(chunks)]
    unpack = f"cat {place}/* | base64 -d | tar -xz -C {FOLDER} -f - && sh {FOLDER}/prepare.sh"
    return [*store[:-1], f"{store[-1]} && {unpack}"]


def _tarball(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o755 if name.endswith(".sh") else 0o600
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)
