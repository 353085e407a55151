"""The function's check mode: whether a run would find what it needs. Nothing is changed by it."""

import importlib.metadata
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from app_spec import AppSpec
from mngr_arguments import MNGR_VERSION
from place import RunError, identity_of

_TOOLS = {
    "git": ["git", "--version"],
    "ssh": ["ssh", "-V"],
    "rsync": ["rsync", "--version"],
    "mngr": None,
    "modal": None,
}


def check(spec: AppSpec, home: Path, runs: Path, environment: Mapping[str, str]) -> dict[str, object]:
    """Returns `{"ok", "problems": [text], "mngr": version, "userId", "secrets": [names that are set], "tools": {}}`.

    Versions of what is missing are None.
    """
    problems = []
    tools = {name: _version(name, command) for name, command in _TOOLS.items()}
    problems += [f"{name} is not in the image" for name, version in tools.items() if version is None]
    if tools["mngr"] not in (None, MNGR_VERSION):
        problems.append(f"mngr {tools['mngr']} is in the image, and {MNGR_VERSION} is needed")
    secrets = [name for name in spec.secrets if environment.get(name)]
    problems += [f"the secret {name} is not set" for name in spec.secrets if name not in secrets]
    try:
        user_id = identity_of(environment).user_id
        if user_id != spec.user_id:
            problems.append(f"the mngr user id is {user_id}, and {spec.user_id} is declared")
    except RunError as error:
        problems.append(str(error))
    for volume in (home, runs):
        if not os.access(volume, os.W_OK):
            problems.append(f"the volume {volume} is not there, or not writable")
    return {
        "ok": not problems,
        "problems": problems,
        "mngr": tools["mngr"],
        "userId": environment.get("MNGR_USER_ID"),
        "secrets": secrets,
        "tools": tools,
    }


def _version(name: str, command: list[str] | None) -> str | None:
    """The version of a program; None when it is not there. Python's own are not started: that takes seconds."""
    if shutil.which(name) is None:
        return None
    if command is None:
        return importlib.metadata.version({"mngr": "imbue-mngr"}.get(name, name))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n", 1)[0]
