"""prepare.sh, which makes a sandbox ready for its agent."""

import subprocess

from sandbox import BRANCH, Sandbox

TOKEN = "tok$en\"'"


class Prepare(Sandbox):
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

    def test_says_why_a_checkout_failed_though_git_says_more_after_it(self) -> None:
        seed = self.folder / "seed"
        (seed / ".gitattributes").write_text("*.md filter=lfs\n")
        self.git("add", ".", cwd=seed)
        self.git("commit", "--quiet", "--message", "Filter", cwd=seed)
        self.git("push", "--quiet", "origin", "HEAD:main", cwd=seed)
        self.git("config", "--global", "filter.lfs.required", "true")
        self.git("config", "--global", "filter.lfs.smudge", "no-such-filter")
        said = "changelings: git clone: fatal: README.md: smudge filter lfs failed\n"
        self.assertEqual(self.prepare().stderr, said)

    def test_does_not_clone_over_what_the_image_has(self) -> None:
        self.work_dir.mkdir(parents=True)
        (self.work_dir / "precious").touch()
        said = f"changelings: {self.work_dir} is in the image, and is not a git repository\n"
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
