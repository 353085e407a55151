"""What the tests of the scripts in a sandbox share: a folder that stands for /changeling."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from lab import GIT_WORK, MASK, PROGRAM, Lab

RUN = "fixer-2026-11-21-05-00-00"
BRANCH = f"changelings/{RUN}"

# The terminal is there as long as the file `session` is; the second is what it shows.
TMUX = """#!/bin/sh
echo "$*" >>"{folder}/tmux.log"
case $1 in
  has-session) test -e "{folder}/session" ;;
  capture-pane) printf 'what it said\\n\\n\\n' ;;
  list-panes) cat "{folder}/pane" ;;
esac
"""


class Sandbox(Lab):
    def setUp(self) -> None:
        super().setUp()
        self.origin, self.base = self.repository()
        self.here, self.work_dir = self.folder / "changeling", self.folder / "code/project"
        self.host_dir, self.volume = self.folder / "mngr", self.folder / "volume"
        self.records = self.volume / "fixer" / RUN
        (self.here / "plan").mkdir(parents=True)
        (self.host_dir / "agents/agent-1").mkdir(parents=True)
        (self.here / "authorized_keys").write_text("ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n")
        for script in ("prepare.sh", "watch.sh", "wait-for-end.sh", "remove-secrets.sh", "git-credential.sh"):
            shutil.copy(PROGRAM / script, self.here)
        shutil.copy(GIT_WORK, self.here)
        shutil.copy(MASK, self.here)
        self.plan(
            run=RUN, changeling="fixer", repo=str(self.origin), branch="main", new_branch=BRANCH, commit="",
            timeout_seconds=60, settle_seconds=1, ends="leaves-status", git_name="Ann O'Dyne",
            git_email="ann@example.com", session=f"mngr-{RUN}", host_dir=self.host_dir, volume=self.volume,
            work_dir=self.work_dir, secrets="API_KEY\nGH_TOKEN\n",
        )  # fmt: skip
        self.program("tmux", TMUX.format(folder=self.folder))

    def plan(self, **values: object) -> None:
        for name, value in values.items():
            (self.here / "plan" / name.replace("_", "-")).write_text(str(value))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1",
            "CHANGELING_FOLDER": str(self.here), "CHANGELING_PERIOD": "0.1", "CHANGELING_END": "touch ended",
        }  # fmt: skip

    def run_script(self, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(self.here / name)],
            cwd=self.here,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def eventually(self, path: Path) -> str:
        until = time.monotonic() + 10
        while not (path.exists() and path.read_text()):
            self.assertLess(time.monotonic(), until, f"{path} did not come")
            time.sleep(0.02)
        return path.read_text()
