"""What a function finds in its container, and whose agents it makes there."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mngr_client import Identity


@dataclass(frozen=True)
class Place:
    """Where a function finds things."""

    home: Path
    runs: Path
    program: Path
    run_command: Path
    git_work: Path
    mask: Path
    tarball: Path
    # Of the agent: mngr takes the path of its source for it, so this is one here as there.
    work_dir: Path
    environment: Mapping[str, str]
    # Brings in what others wrote to the runs volume.
    reload: Callable[[], None]
    # Lets others see what was written to it.
    commit: Callable[[], None]


class RunError(Exception):
    """No agent could be made; the message says why. Nothing of it is left."""


def identity_of(environment: Mapping[str, str]) -> Identity:
    """The person's, from the stack's Secret. Raises RunError when something of it is missing: none is ever made up."""
    names = ("MNGR_USER_ID", "MNGR_PREFIX", "CHANGELINGS_MODAL_TOKEN_ID", "CHANGELINGS_MODAL_TOKEN_SECRET")
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise RunError(f"the stack's Secret lacks {', '.join(missing)}; repair it with: pulumi up")
    return Identity(*(environment[name] for name in names))


def modal_settings(environment: Mapping[str, str]) -> dict[str, object]:
    """What the person's settings say of mngr's Modal provider."""
    settings = tomllib.loads(environment.get("CHANGELINGS_MNGR_SETTINGS", ""))
    return settings.get("providers", {}).get("modal", {})
