"""Checks that a run would find what it needs. Changes nothing."""

import importlib.metadata
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from app_spec import AppSpec
from container import RunError, identity_of
from mngr_arguments import MNGR_VERSION

_TOOLS = {
    "git": ["git", "--version"],
    "ssh": ["ssh", "-V"],
    "rsync": ["rsync", "--version"],
    "mngr": None,
    "modal": None,
}


def check(spec: AppSpec, home: Path, runs: Path, environment: Mapping[str, str]) -> dict[str, object]:
    """Returns `{"ok", "problems": [text], "mngr": version, "userId", "secrets": [names that are set], "tools": {}}`.

    The version of a missing tool is None.
    """
    problems = []
    tools = {name: _version(name, command) for name, command in _TOOLS.items()}
    problems += [f"{name} is not in the image" for name, version in tools.items() if version is None]
    if tools["mngr"] not in (None, MNGR_VERSION):
        problems.append(f"mngr {tools['mngr']} is in the image, but {MNGR_VERSION} is required")
    secrets = [name for name in spec.secrets if environment.get(name)]
    problems += [f"the secret {name} is not set" for name in spec.secrets if name not in secrets]
    try:
        user_id = identity_of(environment).user_id
        if user_id != spec.user_id:
            problems.append(f"the mngr user id is {user_id}, but {spec.user_id} is declared")
    except RunError as error:
        problems.append(str(error))
    for volume in (home, runs):
        if not os.access(volume, os.W_OK):
            problems.append(f"the volume {volume} is missing, or not writable")
    return {
        "ok": not problems,
        "problems": problems,
        "mngr": tools["mngr"],
        "userId": environment.get("MNGR_USER_ID"),
        "secrets": secrets,
        "tools": tools,
    }


def _version(name: str, command: list[str] | None) -> str | None:
    """The version of a program; None if it is missing. Python programs are not started, which would take seconds."""
    if shutil.which(name) is None:
        return None
    if command is None:
        return importlib.metadata.version({"mngr": "imbue-mngr"}.get(name, name))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n", 1)[0]
