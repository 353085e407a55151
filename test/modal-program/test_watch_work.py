"""watch.sh: what a run did as git shows it, and what of it gets to the remote."""

import shutil

from sandbox import BRANCH
from watching import Watching


class WatchWork(Watching):
    def test_an_empty_commit_is_no_change(self) -> None:
        self.happen = lambda: (
            self.git("commit", "--quiet", "--allow-empty", "--message", "Nothing", cwd=self.work_dir),
            self.command("true"),
        )
        self.assert_end(self.watched(), "no_changes", "its commit changes nothing", ["Nothing"])

    def test_work_on_a_branch_of_the_agents_own_is_pushed_as_the_runs(self) -> None:
        def happen() -> None:
            self.git("checkout", "--quiet", "-b", "fix/x", cwd=self.work_dir)
            self.commit("Work")
            (self.work_dir / "over").touch()
            self.command("true")

        self.happen = happen
        ended = self.watched()
        self.assert_end(ended, "succeeded", None, ["Work"])
        self.assertEqual(self.git("log", "-1", "--format=%s", BRANCH, cwd=self.origin), "Work")
        self.assertNotIn("branches", ended)
        left = f"it left changes of 1 file in {self.work_dir}: over"
        self.assertEqual(ended["warnings"], [left, f"its branch fix/x is on the remote as {BRANCH}"])

    def test_further_branches_are_pushed_under_new_names_alone(self) -> None:
        self.git("branch", "fix/x", "main", cwd=self.origin)

        def happen() -> None:
            self.commit("First")
            for name in ("fix/x", "fix/y", "fix/pushed"):
                self.git("checkout", "--quiet", "-B", name, cwd=self.work_dir)
                self.commit(name)
            self.git("push", "--quiet", "origin", "fix/pushed", cwd=self.work_dir)
            self.command("true")

        self.happen = happen
        ended = self.watched()
        self.assert_end(ended, "succeeded", None, ["fix/pushed", "fix/y", "fix/x", "First"])
        branches = [("fix/pushed", 4), (BRANCH, 1), (f"{BRANCH}-fix-x", 2), (f"{BRANCH}-fix-y", 3)]
        self.assertEqual([(each["name"], each["commits"]) for each in ended["branches"]], branches)
        for name, count in branches:
            self.assertEqual(self.git("rev-list", "--count", f"main..{name}", cwd=self.origin), str(count))
        # That of others is as it was.
        self.assertEqual(self.git("rev-parse", "fix/x", cwd=self.origin), self.base)

    def test_a_branch_that_others_have_is_never_overwritten(self) -> None:
        taken = f"{BRANCH}-fix-x"

        def happen() -> None:
            self.git("branch", taken, "main", cwd=self.origin)
            self.commit("First")
            self.git("checkout", "--quiet", "-b", "fix/x", cwd=self.work_dir)
            self.commit("Second")
            self.command("true")

        self.happen = happen
        ended = self.watched()
        self.assertEqual(ended["outcome"], "failed")
        self.assertRegex(ended["reason"], r"^its commits could not be pushed: ! \[rejected\] .* \(stale info\)$")
        self.assertEqual(self.git("rev-parse", taken, cwd=self.origin), self.base)

    def test_one_whose_branch_can_not_be_on_the_remote_says_why(self) -> None:
        self.git("branch", "changelings", "main", cwd=self.origin)
        self.happen = lambda: (self.commit("Work"), self.command("true"))
        reason = self.watched()["reason"]
        self.assertIn("[remote rejected]", reason)
        self.assertNotIn("failed to push some refs", reason)

    def test_others_commits_are_not_the_runs(self) -> None:
        def happen() -> None:
            seed = self.folder / "seed"
            self.git("commit", "--quiet", "--allow-empty", "--message", "Colleague", cwd=seed)
            self.git("push", "--quiet", "origin", "HEAD:main", cwd=seed)
            self.git("pull", "--quiet", "--no-rebase", "origin", "main", cwd=self.work_dir)
            self.command("true")

        self.happen = happen
        self.assert_end(self.watched(), "no_changes", "it made no commit", [])

    def test_one_that_rewrites_the_base_branch_is_reported(self) -> None:
        def happen() -> None:
            self.git("commit", "--quiet", "--amend", "--message", "Rewritten", cwd=self.work_dir)
            # By URL: no ref of the sandbox's says it.
            self.git("push", "--quiet", "--force", str(self.origin), "HEAD:main", cwd=self.work_dir)
            self.command("true")

        self.happen = happen
        ended = self.watched()
        self.assert_end(ended, "no_changes", "it made no commit", [])
        self.assertRegex(ended["warnings"][0], r"^origin/main was rewound while it ran, .*: 1 commit less than before$")

    def test_secrets_are_kept_out_of_all_that_is_written_down(self) -> None:
        (self.host_dir / "env").write_text('GH_TOKEN="ghp_0123456789"\n')
        (self.host_dir / "agents/agent-1/env").write_text('API_KEY="hush \\$HOME"\n')
        self.program("tmux", f"""#!/bin/sh
case $1 in
  has-session) test -e "{self.folder}/session" ;;
  capture-pane) printf 'a hush $HOME b\\neC1hY2Nlc3MtdG9rZW46Z2hwXzAxMjM0NTY3ODk=\\nhush%%20%%24HOME\\n' ;;
esac
""")
        self.happen = lambda: self.commit("Use ghp_0123456789")
        ended = self.watched(ends="settles")
        self.assert_end(ended, "succeeded", None, ["Use ***"])
        output = (self.records / "output.log").read_text()
        self.assertRegex(output, r"^a \*\*\* b\neC1hY2Nlc3MtdG9rZW46\*\*\*=?\n\*\*\*\n$")

    def test_one_whose_repository_is_broken(self) -> None:
        self.happen = lambda: (self.command("true"), shutil.rmtree(self.work_dir / ".git"))
        self.assert_end(self.watched(), "failed", "its repository could not be read", [])
