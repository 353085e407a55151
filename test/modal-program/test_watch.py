"""watch.sh, which brings a run to its end, and end-run.sh, which asks for it."""

import os
import shutil
import signal
import subprocess
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from imbue.mngr.hosts.host import _format_env_file
from lab import HOSTILE, PROGRAM
from sandbox import BRANCH, RUN
from watching import Watching

from env_file import env_file_text

END_RUN = PROGRAM.parent / "end-run.sh"


class Watch(Watching):
    def test_a_command_that_committed_has_its_work_pushed(self) -> None:
        subject = HOSTILE.replace("\n", " ").replace("\u2028", " ")

        def happen() -> None:
            self.commit("First", subject)
            self.command("sh", "-c", "echo out; echo err >&2")

        self.happen = happen
        ended = self.watched()
        tip = self.git("rev-parse", BRANCH, cwd=self.work_dir)
        self.assert_end(ended, "succeeded", None, [subject.replace("\t", " "), "First"])
        self.assertEqual(ended["commits"][0]["hash"], tip)
        self.assertEqual(ended["base"], self.base)
        self.assertEqual(self.git("rev-parse", BRANCH, cwd=self.origin), tip)
        self.assertEqual((self.records / "output.log").read_text(), "out\nerr\n")
        self.assertEqual(sorted(path.name for path in self.records.iterdir()), ["ended.json", "output.log"])

    def test_a_command_that_failed_has_what_it_did_pushed_too(self) -> None:
        self.happen = lambda: (self.commit("Half"), self.command("sh", "-c", "exit 3"))
        self.assert_end(self.watched(), "failed", "its command ended with exit status 3", ["Half"])
        self.assertEqual(self.git("log", "-1", "--format=%s", BRANCH, cwd=self.origin), "Half")

    def test_one_that_did_nothing(self) -> None:
        self.happen = lambda: self.command("true")
        self.assert_end(self.watched(), "no_changes", "it made no commit", [])
        self.assertEqual(self.git("branch", "--list", "changelings/*", cwd=self.origin), "")

    def test_one_that_left_changes(self) -> None:
        self.happen = lambda: self.command("sh", "-c", "echo x >a; echo y >README.md")
        self.assert_end(
            self.watched(), "no_changes", f"it made no commit, but left changes of 2 files in {self.work_dir}: README.md, a", []
        )

    def test_one_whose_commits_nobody_takes(self) -> None:
        self.happen = lambda: (self.commit("Work"), self.command("true"), shutil.rmtree(self.origin))
        ended = self.watched()
        self.assertRegex(ended["reason"], "^its commits could not be pushed: fatal: ")
        self.assertEqual((ended["outcome"], [commit["subject"] for commit in ended["commits"]]), ("failed", ["Work"]))

    def test_one_that_takes_too_long(self) -> None:
        self.assert_end(
            self.watched(timeout_seconds=0), "timed_out", "it did not finish within its 0 s, and was stopped", []
        )
        self.assertIn(f"kill-session -t =mngr-{RUN}", (self.folder / "tmux.log").read_text().splitlines())

    def test_one_whose_terminal_goes_away(self) -> None:
        # Seen once, and never again.
        self.program("tmux", f'#!/bin/sh\n[ "$1" = has-session ] && rm "{self.folder}/session" 2>/dev/null\n')
        self.assert_end(self.watched(), "failed", "its command was killed, or its terminal was closed", [])

    def test_one_whose_changeling_is_removed_has_its_work_pushed(self) -> None:
        self.happen = lambda: (self.commit("Half"), (self.here / "stop").touch())
        reason = "its changeling was removed while it was running"
        self.assert_end(self.watched(), "failed", reason, ["Half"])
        self.assertEqual(self.git("log", "-1", "--format=%s", BRANCH, cwd=self.origin), "Half")
        self.assertIn(f"kill-session -t =mngr-{RUN}", (self.folder / "tmux.log").read_text().splitlines())

    def test_one_that_was_done_before_its_changeling_was_removed(self) -> None:
        self.happen = lambda: (self.commit("Work"), self.command("true"), (self.here / "stop").touch())
        self.assert_end(self.watched(), "succeeded", None, ["Work"])

    def test_one_that_mngr_is_still_making_is_not_ended_before_it_is_made(self) -> None:
        lock = self.host_dir / "host_lock"
        lock.touch()
        holder = subprocess.Popen(["flock", str(lock), "sleep", "30"])
        self.addCleanup(lambda: (holder.kill(), holder.wait()))
        self.happen = lambda: (self.here / "stop").touch()
        self.assertEqual(self.watched(timeout_seconds=2)["outcome"], "timed_out")

    def test_the_end_comes_without_a_volume(self) -> None:
        self.happen = lambda: self.command("true")
        self.volume.write_text("this is no folder")
        with self.assertRaises(NotADirectoryError):
            self.watched()
        self.assertTrue((self.here / "ended").exists())

    def test_output_is_cut_at_a_megabyte(self) -> None:
        self.happen = lambda: self.command("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
        self.watched()
        self.assertEqual((self.records / "output.log").stat().st_size, 1_000_000)

    # Secrets

    def test_removes_secrets_from_the_files_of_mngr_before_it_records_the_end(self) -> None:
        kept = {"MNGR_AGENT_ID": "agent-1", "API_KEYS": "no secret", "PLAIN": "x=y", "ODD": 'a "b"\n\\'}
        secrets = {"API_KEY": f"n33dle {HOSTILE}\nPLAIN=n33dle\n\\", "GH_TOKEN": "n33dle"}
        files = [self.host_dir / "agents/agent-1/env", self.host_dir / "env"]
        for file in files:
            # As mngr reads ours, and writes its own.
            variables = dotenv_values(stream=StringIO(env_file_text({**secrets, **kept, "LAST": "'n33dle'"})))
            self.assertIn("n33dle", str(variables))
            file.write_text(_format_env_file({name: value or "" for name, value in variables.items()}))
            file.chmod(0o600)
        self.plan(secrets="API_KEY\nGH_TOKEN\nLAST\n")
        self.happen = lambda: self.command("true")
        self.watched()
        for file in files:
            text = file.read_text()
            self.assertNotIn("n33dle", text)
            self.assertTrue(text.startswith("# without secrets\n"))
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
            script = f"set -a; . {file}; env -0"
            left = subprocess.run(["env", "-i", "sh", "-c", script], capture_output=True, check=True).stdout
            found = dict(line.split("=", 1) for line in left.decode().split("\0") if "=" in line)
            self.assertEqual({name: found.get(name) for name in kept}, kept)
        self.assertEqual(sorted(path.name for path in self.host_dir.iterdir()), ["agents", "env"])

    def test_removes_a_file_that_it_can_not_read(self) -> None:
        (self.host_dir / "env").write_text("GH_TOKEN=n33dle\n")
        self.program("awk", "#!/bin/sh\nexit 1\n")
        self.happen = lambda: self.command("true")
        self.watched()
        self.assertEqual(sorted(path.name for path in self.host_dir.iterdir()), ["agents"])

    # The last snapshot

    def test_gives_the_last_snapshot_minutes(self) -> None:
        (self.host_dir / "commands").mkdir()
        script = self.host_dir / "commands/shutdown.sh"
        script.write_text(f'#!/bin/bash\necho curl --max-time 30 -X POST $1 >>"{self.folder}/shut-down"; touch ended\n')
        self.happen = lambda: self.command("true")
        self.watched(end="take_snapshot", pause="0")
        said = (self.folder / "shut-down").read_text().splitlines()
        self.assertEqual(said, ["curl --max-time 330 -X POST STOPPED"] * 3)

    # end-run.sh

    def shutdown(self) -> Path:
        """mngr's, which outlives whoever starts it here. Returns the file that it writes."""
        text = f'#!/bin/sh\nsleep 0.2; echo curl --max-time 30 -X POST "$*" >"{self.folder}/shut-down"\n'
        script = self.program("shutdown.sh", text)
        (self.host_dir / "commands").mkdir()
        shutil.move(script, self.host_dir / "commands")
        return self.folder / "shut-down"

    def end_run(self) -> str:
        # As the sandbox gets it: as the input of a shell.
        done = subprocess.run(
            ["sh"], input=END_RUN.read_text(), env=self.environment, capture_output=True, text=True, timeout=10
        )
        self.assertEqual(done.stderr, "")
        return done.stdout

    def test_tells_the_watcher(self) -> None:
        self.shutdown()
        (self.here / "watch.sh").write_text("sleep 30; :\n")
        watcher = subprocess.Popen(["sh", str(self.here / "watch.sh")], start_new_session=True)
        self.addCleanup(lambda: (os.killpg(watcher.pid, signal.SIGKILL), watcher.wait()))
        self.assertEqual(self.end_run(), "pushes\n")
        self.assertTrue((self.here / "stop").exists())

    def test_shuts_down_what_nobody_watches(self) -> None:
        shut_down = self.shutdown()
        self.assertEqual(self.end_run(), "snapshots\n")
        self.assertEqual(self.eventually(shut_down), "curl --max-time 330 -X POST STOPPED\n")

    def test_says_nothing_where_nothing_can_end_by_itself(self) -> None:
        self.assertEqual(self.end_run(), "")
        shutil.rmtree(self.here)
        self.assertEqual(self.end_run(), "")
