"""Command lines that run a program in a container's namespaces, with its layers as the root."""

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .client_python import ClientPython

TREES = ("root", "usr")
BASE_ENV = {
    "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "xterm",
}


@dataclass
class Root:
    """A container's filesystem: read-only layers, its own writable directory, and what is mounted in."""

    name: str
    layers: list[str]
    upper: Path
    binds: dict[str, Path] = field(default_factory=dict)  # path inside -> path of the host
    stage: Path | None = None  # a tree of files to put in place first
    isolate_network: bool = False


class Namespaces:
    def __init__(self, layers: Path, tasks: Path, client: ClientPython):
        self._layers = layers
        self._tasks = tasks
        self._client = client

    def check(self) -> None:
        """Exit with a remedy where overlayfs can't be mounted."""
        probe = self._tasks / "probe"
        for name in ("u", "w", "m"):
            (probe / name).mkdir(parents=True, exist_ok=True)
        options = f"lowerdir=/usr,upperdir={probe}/u,workdir={probe}/w{_overlay_options()}"
        mount = ["sh", "-c", f"mount -t overlay overlay -o {options} {probe}/m"]
        try:
            subprocess.run([*_unshare(), *mount], capture_output=True, timeout=20, check=True, text=True)
        except (OSError, subprocess.SubprocessError) as exc:
            reason = getattr(exc, "stderr", "") or str(exc)
            raise SystemExit(
                f"modal_emulator: cannot mount overlayfs in a new namespace here: {reason.strip()}\n"
                "Run as root or allow user namespaces; in Docker also use --privileged, and put the state directory"
                " (TMPDIR) on a volume or tmpfs, since overlayfs does not stack on itself."
            ) from None
        finally:
            shutil.rmtree(probe, ignore_errors=True)

    def enter_command(self, root: Root, workdir: str, argv: list[str]) -> list[str]:
        """The command line that runs `argv` with `root` as its filesystem."""
        place = self._tasks / root.name
        merged, empty = place / "merged", place / "empty"
        for path in (merged, empty):
            path.mkdir(parents=True, exist_ok=True)
        script = ["set -e", "mount --make-rprivate /", f"cd {_quoted(self._layers)}"]  # short, relative layer names
        for tree in TREES:
            work = place / "work" / tree
            work.mkdir(parents=True, exist_ok=True)
            host = ["/usr"] if tree == "usr" else []
            lower = ":".join([f"{name}/{tree}" for name in reversed(root.layers)] + host) or str(empty)
            target = merged if tree == "root" else merged / tree
            options = f"lowerdir={lower},upperdir={root.upper}/{tree},workdir={work}{_overlay_options()}"
            script.append(f"mount -t overlay overlay -o {_quoted(options)} {_quoted(target)}")
        script += [f"cd {_quoted(merged)}", "mount -t proc proc proc", "mount --rbind /dev dev"]
        # Terminals of its own: the host's may not be opened from a user namespace.
        script.append("mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts")
        script.append("mount --bind dev/pts/ptmx dev/ptmx")
        for inside, outside in {**self._client.binds(), **root.binds}.items():
            place_inside = _quoted(inside.lstrip("/"))
            script += [f"mkdir -p {place_inside}", f"mount --bind {_quoted(outside)} {place_inside}"]
            if inside not in root.binds:
                # The client's environment is this machine's, which no container should change. (In a user namespace
                # the flags of its file system may be locked.)
                script.append(f"mount -o remount,bind,ro {place_inside} 2>/dev/null || true")
        if root.stage:
            script.append(f"tar -C {_quoted(root.stage)} -cf - . | chroot . tar -C / -xf - --keep-directory-symlink")
        script.append("""exec chroot . /bin/sh -c 'cd "$0" && exec "$@"' "$@" """)
        return [*_unshare(root.isolate_network), "sh", "-c", "\n".join(script), "sh", workdir or "/root", *argv]


def new_layer(layer: Path) -> Path:
    for tree in TREES:
        (layer / tree).mkdir(parents=True)
    return layer


def opaque_attribute() -> str:
    """The extended attribute that hides what lower layers have in a directory."""
    return "trusted.overlay.opaque" if os.geteuid() == 0 else "user.overlay.opaque"


def nsenter(init_pid: int, *namespaces: str) -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", "--target", str(init_pid), *user, *namespaces]


def _unshare(isolate_network: bool = False) -> list[str]:
    options = [] if os.geteuid() == 0 else ["--map-root-user"]
    if isolate_network:
        options.append("--net")
    # A container must not outlive the emulator, not even one that was killed.
    with_the_emulator = ["setpriv", "--pdeathsig", "KILL", "--"]
    return [*with_the_emulator, "unshare", *options, "--mount", "--pid", "--fork", "--kill-child", "--"]


def _overlay_options() -> str:
    return "" if os.geteuid() == 0 else ",userxattr"


def _quoted(text: str | Path) -> str:
    return shlex.quote(str(text))
