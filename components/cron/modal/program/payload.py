"""The files that a new sandbox gets in /changeling before its agent, and the command that unpacks and starts them.

The command contains the files. They are never read from the runs volume, because agents can write there.
"""

import base64
import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

# The folder of all these files in a sandbox.
FOLDER = "/changeling"
# The size of the payload's part in one argument, which Linux limits to 128 KB.
_CHUNK = 90_000


def payload_files(
    plan: Mapping[str, str], scripts: Mapping[str, Path], keys: list[str], script: str | None
) -> dict[str, bytes]:
    """The files, by their paths below /changeling.

    plan contains the values that the scripts read. Each is a separate file, so that it can contain any character. keys
    are public ssh keys. script is the script of a stock command agent.
    """
    files = {f"plan/{name}": value.encode("utf-8", "surrogatepass") for name, value in plan.items()}
    files |= {name: path.read_bytes() for name, path in scripts.items()}
    files["authorized_keys"] = "".join(f"{key}\n" for key in keys).encode()
    if script is not None:
        files["agent.sh"] = script.encode("utf-8", "surrogatepass")
    return files


def prepare_commands(files: Mapping[str, bytes]) -> list[str]:
    """Shell commands that write the files and run prepare.sh. mngr may run each of them more than once.

    The files are in base64, which contains no character that a shell would interpret.
    """
    packed = base64.b64encode(_tarball(files)).decode("ascii")
    chunks = [packed[at : at + _CHUNK] for at in range(0, len(packed), _CHUNK)]
    parts = f"{FOLDER}/payload"
    store = [f"mkdir -p {parts} && printf %s {chunk} >{parts}/{at:04}" for at, chunk in enumerate(chunks)]
    unpack = f"cat {parts}/* | base64 -d | tar -xz -C {FOLDER} -f - && sh {FOLDER}/prepare.sh"
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
