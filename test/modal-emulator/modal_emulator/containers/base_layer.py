"""The lowest layer of every container: a root directory, and a Python in /usr/local."""

import os
import shutil
from pathlib import Path

from .captured import spawn
from .client_python import DEPENDENCIES, EXTRA_PACKAGES, PROGRAMS, ClientPython
from .dockerfile import RunPolicy
from .namespaces import BASE_ENV, Namespaces, Root, new_layer, opaque_attribute

NAME = "base"
_DIRECTORIES = "usr proc dev sys run root home opt mnt srv tmp pkg var/cache var/lib var/log var/spool var/tmp"
_CLIENT_PACKAGES = ("modal", "modal_proto", "modal_version", "synchronicity")


class BuildError(Exception):
    """An image can't be built, for a reason that its owner is to read."""


async def make_base_layer(layers: Path, client: ClientPython, namespaces: Namespaces, policy: RunPolicy) -> None:
    layer = new_layer(layers / NAME)
    top = layer / "root"
    mount_points = [path.lstrip("/") for path in client.binds()]  # so that no later layer contains them
    for name in (*_DIRECTORIES.split(), *mount_points):
        (top / name).mkdir(parents=True, exist_ok=True)
    (top / "var/run").symlink_to("/run")
    for name, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700)):
        (top / name).chmod(mode)
    _copy_public("/etc", top / "etc")
    for entry in os.scandir("/"):
        if entry.is_symlink() and os.readlink(entry.path).lstrip("/").startswith("usr/"):
            (top / entry.name).symlink_to(os.readlink(entry.path))  # /bin, /lib ...
    for package in _CLIENT_PACKAGES:
        (top / "pkg" / package).symlink_to(f"{DEPENDENCIES}/{package}")
    (top / "pkg/sitecustomize.py").write_text(f"import sys; sys.path.append({DEPENDENCIES!r})\n")
    _let_sshd_run(top / "etc")
    (layer / "usr/local").mkdir()
    os.setxattr(layer / "usr/local", opaque_attribute(), b"y")  # hides the host's own /usr/local
    # Where installs are skipped nobody needs pip, which takes seconds to put there.
    without_pip = ["--without-pip"] if policy == "offline" else []
    make_venv = [client.executable, "-m", "venv", *without_pip, "/usr/local"]
    done = await spawn(namespaces.enter_command(Root("build-base", [], layer), "/", make_venv), BASE_ENV)
    if await done.wait() != 0:
        raise BuildError(done.output[2].decode(errors="replace"))
    if policy == "offline":
        _stand_in_for_installs(layer / "usr/local", client)


def _let_sshd_run(etc: Path) -> None:
    # It refuses users whose password entry is missing or locked: no passwords, but nobody locked.
    users = [line.split(":")[0] for line in (etc / "passwd").read_text().splitlines()]
    shadow = etc / "shadow"
    shadow.write_text("".join(f"{user}:*:::::::\n" for user in users))
    shadow.chmod(0o600)
    settings = etc / "ssh/sshd_config.d"
    if settings.is_dir():
        # PAM also sets the audit id, which a user namespace may not.
        (settings / "00-modal-emulator.conf").write_text("UsePAM no\n")


def _stand_in_for_installs(local: Path, client: ClientPython) -> None:
    """Installs are skipped, so give containers what the client's environment has installed."""
    packages = local / f"lib/python{client.series}/site-packages"
    (packages / "modal_emulator.pth").write_text(f"{DEPENDENCIES}\n{EXTRA_PACKAGES}\n")  # after the image's own
    for program in client.bin.iterdir():
        place = local / "bin" / program.name
        if place.exists() or place.is_symlink() or not (program.is_file() and os.access(program, os.X_OK)):
            continue
        first, newline, rest = program.read_bytes().partition(b"\n")
        if first.startswith(b"#!") and b"python" in first:
            place.write_bytes(b"#!/usr/local/bin/python" + newline + rest)
            place.chmod(0o755)
        else:
            place.symlink_to(f"{PROGRAMS}/{program.name}")


def _copy_public(source: str, target: Path) -> None:
    """Copy what everyone may read: not the host's password hashes and keys."""
    for directory, names, files in os.walk(source):
        place = target / os.path.relpath(directory, source)
        place.mkdir(parents=True, exist_ok=True)
        for name in [*files, *(n for n in names if os.path.islink(os.path.join(directory, n)))]:
            path = os.path.join(directory, name)
            if os.path.islink(path):
                (place / name).symlink_to(os.readlink(path))
            elif os.path.isfile(path) and os.stat(path).st_mode & 0o004:
                shutil.copy2(path, place / name)
