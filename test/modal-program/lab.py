"""What the tests of the deployed program share."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
PROGRAM = CHECKOUT / "components/cron/modal/program"
RUN_COMMAND = CHECKOUT / "components/cron/local/runs/run-command.sh"
GIT_WORK = RUN_COMMAND.with_name("git-work.sh")
MASK = CHECKOUT / "components/lib/mask.awk"
sys.path.insert(0, str(PROGRAM))

from app_spec import AppSpec, read_spec  # noqa: E402

USER_ID = "0123456789abcdef0123456789abcdef"

# What would break out of quotes, of JSON, of a template or of a line.
HOSTILE = "a'b\"c\\ $HOME ${HOME} `id` $(id) {x} %s\n\ttab é😀 \u2028;&|<>#!*?~"

SPEC: dict[str, Any] = {
    "version": 1,
    "stack": "dev",
    "name": "fixer",
    "environment": f"mngr-{USER_ID}",
    "userId": USER_ID,
    "prefix": "mngr-",
    "schedule": "0 3 * * *",
    "timezone": "UTC",
    "enabled": True,
    "timeoutSeconds": 3600,
    "settleSeconds": 60,
    "keepRuns": 2,
    "repo": "https://github.com/someone/thing.git",
    "branch": "main",
    "image": "clone",
    "commit": None,
    "snapshotLabel": None,
    "agent": {
        "type": "fixer",
        "mngrType": "command",
        "isConversational": False,
        "leavesExitStatus": True,
        "script": None,
        "args": ["true"],
        "message": None,
        "template": None,
        "buildArgs": [],
        "settings": [],
        "env": {},
    },
    "secrets": ["GITHUB_TOKEN"],
    "secretName": "changeling_dev_fixer",
    "stackSecretName": "changelings_dev",
    "homeVolume": "changelings_dev",
    "runsVolume": "changelings_dev_runs",
    "appName": "changeling_dev_fixer",
    "program": "0" * 12,
}


class Lab(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="modal-program-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def spec(self, agent: dict[str, object] | None = None, **changes: object) -> AppSpec:
        path = self.folder / "spec.json"
        path.write_text(json.dumps({**SPEC, **changes, "agent": {**SPEC["agent"], **(agent or {})}}))
        return read_spec(path)

    def program(self, name: str, text: str) -> Path:
        """An executable in the folder `bin`."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def git(self, *args: str, cwd: Path | None = None) -> str:
        environment = {
            **{name: os.environ[name] for name in ("PATH",)},
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        done = subprocess.run(
            ["git", *args], cwd=cwd or self.folder, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def repository(self) -> tuple[Path, str]:
        """A bare repository with one commit on `main`, and that commit."""
        bare, seed = self.folder / "origin.git", self.folder / "seed"
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        self.git("clone", "--quiet", str(bare), str(seed))
        (seed / "README.md").write_text("FIXME\n")
        self.git("add", ".", cwd=seed)
        self.git("commit", "--quiet", "--message", "First", cwd=seed)
        self.git("push", "--quiet", "origin", "HEAD:main", cwd=seed)
        return bare, self.git("rev-parse", "HEAD", cwd=seed)
