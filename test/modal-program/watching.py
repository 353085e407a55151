"""A test of watch.sh: what the agent does, and the record of its end."""

import json
import subprocess
from pathlib import Path

from lab import RUN_COMMAND
from sandbox import RUN, Sandbox


class Watching(Sandbox):
    def watched(self, end: str = "touch ended", pause: str = "5", **plan: object) -> dict:
        """Prepares, then watches to the end; returns the record of it."""
        self.assertEqual(self.run_prepare_without_watcher().returncode, 0)
        self.plan(**plan)
        (self.here / "started").write_text(Path("/proc/uptime").read_text().split(".")[0])
        (self.folder / "session").touch()
        self.happen()
        done = self.run_script("watch.sh", CHANGELING_END=end, CHANGELING_PAUSE=pause)
        self.assertTrue((self.here / "ended").exists(), done.stderr)
        return json.loads((self.records / "ended.json").read_text())

    def run_prepare_without_watcher(self) -> subprocess.CompletedProcess[str]:
        (self.here / "watched").mkdir()
        return self.run_script("prepare.sh")

    def happen(self) -> None:
        """What the agent does; tests put another in its place."""

    def commit(self, *subjects: str) -> None:
        for subject in subjects:
            with open(self.work_dir / "work", "a") as file:
                file.write(f"{subject}\n")
            self.git("add", "work", cwd=self.work_dir)
            self.git("commit", "--quiet", "--message", subject, cwd=self.work_dir)

    def command(self, *command: str) -> None:
        wrapper = ["sh", str(RUN_COMMAND), str(self.here / "run")]
        subprocess.run([*wrapper, *command], cwd=self.work_dir, env=self.environment, stdout=subprocess.DEVNULL)

    def assert_end(self, ended: dict, outcome: str, reason: str | None, subjects: list[str]) -> None:
        self.assertRegex(ended["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual([ended[key] for key in ("event", "changeling", "id")], ["ended", "fixer", RUN])
        self.assertEqual((ended["outcome"], ended.get("reason")), (outcome, reason))
        self.assertEqual([commit["subject"] for commit in ended["commits"]], subjects)
