"""The function's container: its paths and its environment, and the identity in it."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mngr_client import Identity


@dataclass(frozen=True)
class Container:
    """The paths and the environment of the function's container."""

    home: Path
    runs: Path
    program: Path
    run_command: Path
    git_work: Path
    mask: Path
    tarball: Path
    # The agent's work dir. mngr uses the source's path for it, so it is the same here and in the sandbox.
    work_dir: Path
    environment: Mapping[str, str]
    # Makes visible what others wrote to the runs volume.
    reload: Callable[[], None]
    # Makes visible to others what was written to it.
    commit: Callable[[], None]


class RunError(Exception):
    """No agent could be created, for the reason in the message. There are no leftovers."""


def identity_of(environment: Mapping[str, str]) -> Identity:
    """The user's identity, from the stack's Secret. Raises RunError if a part is missing; none is ever invented."""
    names = ("MNGR_USER_ID", "MNGR_PREFIX", "CHANGELINGS_MODAL_TOKEN_ID", "CHANGELINGS_MODAL_TOKEN_SECRET")
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise RunError(f"the stack's Secret lacks {', '.join(missing)}; repair it with: pulumi up")
    return Identity(*(environment[name] for name in names))


def modal_settings(environment: Mapping[str, str]) -> dict[str, object]:
    """The settings of mngr's Modal provider in the user's mngr settings."""
    settings = tomllib.loads(environment.get("CHANGELINGS_MNGR_SETTINGS", ""))
    return settings.get("providers", {}).get("modal", {})
