"""What runs in the sandbox: prepare.sh and watch.sh, each in a folder that stands for /changeling."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from lab import HOSTILE, PROGRAM, RUN_COMMAND, Lab

RUN = "fixer-2026-11-21-05-00-00"
BRANCH = f"changelings/{RUN}"
TOKEN = "tok$en\"'"

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
        for script in ("prepare.sh", "watch.sh", "git-credential.sh"):
            shutil.copy(PROGRAM / script, self.here)
        self.plan(
            run=RUN, changeling="fixer", repo=str(self.origin), branch="main", new_branch=BRANCH, commit="",
            timeout_seconds=60, settle_seconds=1, ends="leaves-status", git_name="Ann O'Dyne",
            git_email="ann@example.com", session=f"mngr-{RUN}", host_dir=self.host_dir, volume=self.volume,
            work_dir=self.work_dir,
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

    def run_script(self, name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(self.here / name)],
            cwd=self.here,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    # prepare.sh

    def prepare(self) -> subprocess.CompletedProcess[str]:
        watcher = self.here / "watch.sh"
        # Written once: the first one may still be reading it.
        if not (self.here / "watched").exists():
            watcher.write_text(f'echo "${{GH_TOKEN:-none}}" >>"{self.folder}/watching"\n')
        return self.run_script("prepare.sh")

    def test_prepares_a_clone_on_a_new_branch(self) -> None:
        (self.host_dir / "env").write_text("GH_TOKEN=\"tok\\$en\\\"'\"\n")
        for _ in range(2):
            done = self.prepare()
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.git("branch", "--show-current", cwd=self.work_dir), BRANCH)
        self.assertEqual((self.here / "base").read_text().strip(), self.base)
        self.assertEqual(self.git("config", "--global", "user.name"), "Ann O'Dyne")
        self.assertEqual(self.git("rev-parse", "--abbrev-ref", "origin/HEAD", cwd=self.work_dir), "origin/main")
        keys = self.folder / ".ssh/authorized_keys"
        self.assertEqual(keys.read_text(), "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n")
        # However often mngr runs it, one watcher is started, with git's token.
        self.assertEqual(self.eventually(self.folder / "watching"), f"{TOKEN}\n")

    def test_brings_a_snapshot_to_the_branchs_tip(self) -> None:
        self.git("clone", "--quiet", str(self.origin), str(self.work_dir))
        (self.work_dir / "left-behind").write_text("x")
        (self.work_dir / "README.md").write_text("changed\n")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Second", cwd=self.folder / "seed")
        self.git("push", "--quiet", "origin", "HEAD:main", cwd=self.folder / "seed")
        self.assertEqual(self.prepare().returncode, 0)
        tip = self.git("rev-parse", "HEAD", cwd=self.folder / "seed")
        self.assertEqual((self.here / "base").read_text().strip(), tip)
        self.assertEqual(self.git("rev-parse", "HEAD", cwd=self.work_dir), tip)
        self.assertEqual(self.git("status", "--porcelain", cwd=self.work_dir), "?? left-behind")

    def test_unpacks_a_pinned_commit_and_asks_no_remote(self) -> None:
        tarball = str(self.here / "repo.tar.gz")
        subprocess.run(["tar", "-czf", tarball, "-C", str(self.folder / "seed"), "."], check=True)
        self.plan(commit=self.base, repo="https://127.0.0.1:1/none.git")
        done = self.prepare()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.git("rev-parse", "HEAD", cwd=self.work_dir), self.base)
        self.assertEqual(self.git("branch", "--show-current", cwd=self.work_dir), BRANCH)

    def test_says_in_one_line_what_is_wrong(self) -> None:
        self.plan(branch="nope")
        done = self.prepare()
        said = "changelings: git clone: fatal: Remote branch nope not found in upstream origin\n"
        self.assertEqual((done.returncode, done.stderr), (1, said))
        self.assertFalse((self.folder / "watching").exists())

    def test_does_not_clone_over_what_the_image_has(self) -> None:
        self.work_dir.mkdir(parents=True)
        (self.work_dir / "precious").touch()
        said = f"changelings: {self.work_dir} is in the image, and is no git repository\n"
        self.assertEqual(self.prepare().stderr, said)

    def test_offers_the_token_to_the_declared_host_alone(self) -> None:
        self.plan(repo="https://127.0.0.1:1/a/b.git")
        self.assertIn("changelings: git clone: fatal: unable to access", self.prepare().stderr)
        ask = ["sh", "-c", "printf 'url=%s\\n\\n' \"$1\" | git credential fill", "sh"]
        environment = {**self.environment, "GH_TOKEN": TOKEN, "GIT_TERMINAL_PROMPT": "0"}
        for url, is_offered in [
            ("https://127.0.0.1:1/x", True),
            ("https://127.0.0.2:1/x", False),
            ("http://127.0.0.1:1/x", False),
        ]:
            done = subprocess.run([*ask, url], env=environment, capture_output=True, text=True)
            self.assertEqual(f"username=x-access-token\npassword={TOKEN}\n" in done.stdout, is_offered, url)
            self.assertEqual(TOKEN in done.stdout, is_offered, url)

    # watch.sh

    def watched(self, **plan: object) -> dict:
        """Prepares, then watches to the end; returns the record of it."""
        self.assertEqual(self.run_prepare_without_watcher().returncode, 0)
        self.plan(**plan)
        (self.here / "started").write_text(Path("/proc/uptime").read_text().split(".")[0])
        (self.folder / "session").touch()
        self.happen()
        done = self.run_script("watch.sh")
        self.assertTrue((self.here / "ended").exists(), done.stderr)
        return json.loads((self.records / "ended.json").read_text())

    def run_prepare_without_watcher(self) -> subprocess.CompletedProcess[str]:
        (self.here / "watched").mkdir()
        return self.run_script("prepare.sh")

    def happen(self) -> None:
        """What the agent does; tests put another in its place."""

    def commit(self, *subjects: str) -> None:
        for subject in subjects:
            self.git("commit", "--quiet", "--allow-empty", "--message", subject, cwd=self.work_dir)

    def command(self, *command: str) -> None:
        wrapper = ["sh", str(RUN_COMMAND), str(self.here / "run")]
        subprocess.run([*wrapper, *command], cwd=self.work_dir, env=self.environment, stdout=subprocess.DEVNULL)

    def eventually(self, path: Path) -> str:
        until = time.monotonic() + 10
        while not (path.exists() and path.read_text()):
            self.assertLess(time.monotonic(), until, f"{path} did not come")
            time.sleep(0.02)
        return path.read_text()

    def assert_end(self, ended: dict, outcome: str, reason: str | None, subjects: list[str]) -> None:
        self.assertRegex(ended["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual([ended[key] for key in ("event", "changeling", "id")], ["ended", "fixer", RUN])
        self.assertEqual((ended["outcome"], ended.get("reason")), (outcome, reason))
        self.assertEqual([commit["subject"] for commit in ended["commits"]], subjects)

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
            self.watched(), "no_changes", f"it made no commit, but left changes of 2 files in {self.work_dir}", []
        )

    def test_one_whose_commits_nobody_takes(self) -> None:
        self.happen = lambda: (self.commit("Work"), self.command("true"), shutil.rmtree(self.origin))
        ended = self.watched()
        self.assertRegex(ended["reason"], "^its commits could not be pushed: fatal: ")
        self.assertEqual((ended["outcome"], [commit["subject"] for commit in ended["commits"]]), ("failed", ["Work"]))

    def test_one_that_takes_too_long(self) -> None:
        self.assert_end(
            self.watched(timeout_seconds=0), "timed_out", "it was not done within its 0 s, and was stopped", []
        )
        self.assertIn(f"kill-session -t =mngr-{RUN}", (self.folder / "tmux.log").read_text().splitlines())

    def test_one_whose_terminal_goes_away(self) -> None:
        # Seen once, and never again.
        self.program("tmux", f'#!/bin/sh\n[ "$1" = has-session ] && rm "{self.folder}/session" 2>/dev/null\n')
        self.assert_end(self.watched(), "failed", "its command was killed, or its terminal was closed", [])

    def test_a_conversation_that_has_settled(self) -> None:
        self.happen = lambda: self.commit("Talk")
        self.assert_end(self.watched(ends="settles"), "succeeded", None, ["Talk"])
        self.assertEqual((self.records / "output.log").read_text(), "what it said\n")

    def test_a_conversation_that_waits_for_a_permission(self) -> None:
        def happen() -> None:
            for marker in ("active", "permissions_waiting"):
                (self.host_dir / "agents/agent-1" / marker).touch()

        self.happen = happen
        reason = "it was waiting for a permission that nobody was there to give"
        self.assert_end(self.watched(ends="settles"), "failed", reason, [])

    def test_a_conversation_is_not_over_while_it_works(self) -> None:
        self.happen = lambda: (self.host_dir / "agents/agent-1/active").touch()
        ended = self.watched(ends="settles", timeout_seconds=2)
        self.assertEqual(ended["outcome"], "timed_out")

    def test_a_conversation_is_not_over_while_mngr_starts_it(self) -> None:
        lock = self.host_dir / "host_lock"
        lock.touch()
        holder = subprocess.Popen(["flock", str(lock), "sleep", "30"])
        self.addCleanup(lambda: (holder.kill(), holder.wait()))
        self.assertEqual(self.watched(ends="settles", timeout_seconds=2)["outcome"], "timed_out")

    def test_one_that_leaves_no_status_is_over_when_its_terminal_is_idle(self) -> None:
        idle = subprocess.Popen(["sleep", "30"])
        self.addCleanup(lambda: (idle.kill(), idle.wait()))
        (self.folder / "pane").write_text(f"0 {idle.pid}\n")
        self.assert_end(self.watched(ends="exits"), "no_changes", "it made no commit", [])

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
