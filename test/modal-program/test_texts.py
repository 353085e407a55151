"""What is pure: argument lists, environment files, payloads, images, masking, and what mngr printed."""

import base64
import json
import random
import subprocess
import tarfile
from pathlib import Path

from lab import HOSTILE, MASK, RUN_COMMAND, SPEC, USER_ID, Lab

import mngr_client
import payload
import pinned_image
from app_spec import read_spec
from env_file import env_file_text
from masking import masked
from mngr_arguments import CreateOptions, create_arguments, destroy_arguments, list_arguments
from mngr_client import Created, Identity, created_from, error_line, has_no_running_host

RUN = "fixer-2026-11-21-05-00-00"


class Spec(Lab):
    def test_is_read_whole(self) -> None:
        spec = self.spec({"args": ["a b"], "env": {"A": HOSTILE}})
        self.assertEqual((spec.user_id, spec.agent.args, spec.agent.env), (USER_ID, ("a b",), {"A": HOSTILE}))

    def test_of_another_version_is_refused(self) -> None:
        path = self.folder / "spec.json"
        path.write_text(json.dumps({**SPEC, "version": 2}))
        with self.assertRaisesRegex(ValueError, "has version 2, and this program reads version 1"):
            read_spec(path)


class EnvFile(Lab):
    """That its values arrive is tried in test/unit/cron/modal/program.long.test.ts, on the cases of env-file.ts."""

    def test_refuses_what_is_no_variable(self) -> None:
        for name in ("1A", "A-B", "", "A=B", "A\nB", "Ä"):
            with self.assertRaisesRegex(ValueError, "is not a name for an environment variable"):
                env_file_text({name: "x"})

    def test_refuses_a_nul_and_does_not_say_the_value(self) -> None:
        with self.assertRaises(ValueError) as caught:
            env_file_text({"A": "hush\0"})
        self.assertEqual(str(caught.exception), "the value of A contains a NUL, which an environment can't")


class Arguments(Lab):
    LEAST = CreateOptions(
        run=RUN, type="command", labels={"CREATOR": "changeling"}, work_dir="/code/project", env_file="/e",
        host_env_file=None, sandbox_timeout_seconds=3780, volume=("runs", "/r"), prepare=["one", "two"], snapshot=None,
        provision=[], template=None, message_file=None, settings=[], build_args=[], agent_args=[],
    )  # fmt: skip

    def test_of_the_least_create(self) -> None:
        self.assertEqual(
            create_arguments(self.LEAST),
            ["create", f"{RUN}@{RUN}.modal", "--new-host", "--type", "command"]
            + ["--no-connect", "--headless", "--yes", "--format", "jsonl"]
            + ["--label", "CREATOR=changeling", "--host-label", "CREATOR=changeling"]
            + ["--transfer", "none", "--from", ":/code/project", "--env-file", "/e", "--idle-mode", "disabled"]
            + ["--post-host-create-command", "one", "--post-host-create-command", "two"]
            + ["--build-arg", "timeout=3780", "--build-arg", "volume=runs:/r"],
        )

    def test_of_a_full_create_end_with_the_agents_own(self) -> None:
        options = {
            **self.LEAST.__dict__, "host_env_file": "/h", "snapshot": "im-1", "provision": ["p"], "template": "t",
            "message_file": "/m", "settings": ["a=1", "b=2"], "build_args": ["cpu=2"], "agent_args": ["--", HOSTILE],
        }  # fmt: skip
        args = create_arguments(CreateOptions(**options))
        self.assertEqual(
            args[args.index("--host-env-file") :],
            ["--host-env-file", "/h", "--idle-mode", "disabled"]
            + ["--post-host-create-command", "one", "--post-host-create-command", "two", "--snapshot", "im-1"]
            + ["--extra-provision-command", "p", "--template", "t", "--message-file", "/m", "--setting", "a=1", "--setting", "b=2"]
            + ["--build-arg", "cpu=2", "--build-arg", "timeout=3780", "--build-arg", "volume=runs:/r"]
            + ["--", "--", HOSTILE],
        )

    def test_of_the_others(self) -> None:
        self.assertEqual(
            destroy_arguments(RUN), ["destroy", f"@{RUN}.modal", "--force", "--no-gc", "--format", "json", "--headless"]
        )
        self.assertEqual(list_arguments(), ["list", "--provider", "modal", "--format", "json", "--headless"])


class Environment(Lab):
    IDENTITY = Identity(USER_ID, "mngr-", "ak-1", "as-1")

    def test_holds_the_persons_token_and_nothing_that_makes_it_the_containers(self) -> None:
        container = {
            "PATH": "/bin", "MODAL_IS_REMOTE": "1", "MODAL_TASK_ID": "ta-1", "MODAL_SERVER_URL": "http://127.0.0.1:1",
            "MODAL_OVERRIDE_HEADERS": "x:y", "GITHUB_TOKEN": "hush", "CHANGELINGS_MODAL_TOKEN_SECRET": "as-1",
        }  # fmt: skip
        self.assertEqual(
            mngr_client.mngr_environment(self.IDENTITY, Path("/h"), container),
            {
                "PATH": "/bin", "MODAL_SERVER_URL": "http://127.0.0.1:1", "HOME": "/h",
                "MODAL_TOKEN_ID": "ak-1", "MODAL_TOKEN_SECRET": "as-1", "MNGR_HOST_DIR": "/h/mngr",
                "MNGR_USER_ID": USER_ID, "MNGR_PREFIX": "mngr-", "MNGR_PROJECT_CONFIG_DIR": "/h/project",
                "MNGR_HEADLESS": "1", "GIT_TERMINAL_PROMPT": "0",
            },
        )  # fmt: skip

    def test_leaves_out_a_containers_own_socket(self) -> None:
        self.assertIsNone(mngr_client.server_url({"MODAL_SERVER_URL": "unix:///run/modal.sock"}))
        self.assertIsNone(mngr_client.server_url({}))

    def test_comes_with_a_profile_that_nobody_else_reads(self) -> None:
        mngr_client.write_profile(self.folder, USER_ID, "[agent_types.a]\n")
        files = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*") if path.is_file()}
        self.assertEqual(
            {name: path.read_text() for name, path in files.items()},
            {
                "mngr/config.toml": 'profile = "changelings"\n',
                "mngr/profiles/changelings/user_id": USER_ID,
                "mngr/profiles/changelings/settings.toml": "[agent_types.a]\n",
            },
        )
        self.assertEqual({oct(path.stat().st_mode & 0o777) for path in files.values()}, {"0o600"})

    def test_names_mngrs_app_as_mngr_does(self) -> None:
        self.assertEqual(mngr_client.mngr_app_name("mngr-"), "mngr-modal")
        self.assertEqual(mngr_client.mngr_app_name("p" * 57 + "-"), "p" * 57)


class WhatMngrPrinted(Lab):
    def test_tells_the_agent(self) -> None:
        stdout = '{"event": "progress"}\n{"event": "created", "agent_id": "agent-1", "host_id": "host-1"}\n'
        self.assertEqual(created_from(stdout, "WARNING: x\n"), Created("agent-1", "host-1"))

    def test_tells_the_error_of_its_event(self) -> None:
        stdout = json.dumps({"event": "error", "error_class": "X", "message": "Unknown agent type 'a'.\nmore"})
        self.assertEqual(created_from(stdout, "noise"), Created(error="Unknown agent type 'a'."))

    def test_tells_the_line_of_our_prepare_script(self) -> None:
        message = "post-host-create command failed: sh x\nstdout: \nstderr: changelings: git clone: fatal: gone\nmore"
        self.assertEqual(error_line(message), "git clone: fatal: gone")

    def test_tells_the_error_in_words_else_the_last_line(self) -> None:
        self.assertEqual(created_from("", "a\nError: no type\n  hint\n"), Created(error="no type"))
        self.assertEqual(created_from("", "Traceback\n  x\nValueError: y\n\n"), Created(error="ValueError: y"))
        self.assertEqual(created_from("", ""), Created(error="it printed nothing"))

    def test_tells_whether_a_host_runs(self) -> None:
        def listed(state: str, errors: list[object]) -> str:
            return json.dumps({"agents": [{"host": {"id": "host-1", "state": state}}], "errors": errors})

        keyless = {"host_id": "host-2", "is_provider_inaccessible": False}
        away = {"host_id": None, "is_provider_inaccessible": True}
        cases = [
            (listed("RUNNING", []), "host-1", False),
            (listed("STOPPED", [keyless]), "host-1", True),
            (listed("STOPPED", [keyless]), "host-2", False),
            (listed("STOPPED", []), "host-3", True),
            (listed("STOPPED", [away]), "host-1", False),
            ("not JSON", "host-1", False),
            ("{}", "host-1", False),
        ]
        for stdout, host, lost in cases:
            self.assertIs(has_no_running_host(stdout, host), lost, (stdout, host))


class Payload(Lab):
    def lay_out(self, files: dict[str, bytes], times: int = 1) -> Path:
        """Runs the commands in a folder that stands for /changeling."""
        here = self.folder / "sandbox"
        files = {**files, "prepare.sh": b'echo "prepared" >>"$(dirname "$0")/log"\n'}
        for _ in range(times):
            for command in payload.prepare_commands(files):
                self.assertLess(len(command), 128 * 1024)
                script = command.replace(payload.FOLDER, str(here))
                subprocess.run(["sh", "-c", script], check=True)
        return here

    def test_arrives_as_it_was(self) -> None:
        plan = {"repo": HOSTILE, "empty": ""}
        files = payload.payload_files(plan, {"run-command.sh": RUN_COMMAND}, ["k 1", "k 2"], HOSTILE)
        here = self.lay_out(files)
        self.assertEqual((here / "plan/repo").read_text(), HOSTILE)
        self.assertEqual((here / "plan/empty").read_text(), "")
        self.assertEqual((here / "agent.sh").read_text(), HOSTILE)
        self.assertEqual((here / "run-command.sh").read_bytes(), RUN_COMMAND.read_bytes())
        self.assertEqual((here / "authorized_keys").read_text(), "k 1\nk 2\n")
        self.assertEqual(oct((here / "plan/repo").stat().st_mode & 0o777), "0o600")

    def test_has_no_text_of_it_in_a_command(self) -> None:
        for command in payload.prepare_commands({"agent.sh": b"rm -rf / # 'quoted' "}):
            self.assertNotIn("rm -rf", command)
            self.assertNotIn("'", command)

    def test_can_be_larger_than_an_argument_and_be_sent_twice(self) -> None:
        noise = random.Random(1).randbytes(300_000)
        here = self.lay_out({"agent.sh": noise}, times=2)
        self.assertEqual((here / "agent.sh").read_bytes(), noise)
        self.assertEqual((here / "log").read_text(), "prepared\nprepared\n")


class PinnedImage(Lab):
    def tarball(self, files: dict[str, str]) -> Path:
        tree, tarball = self.folder / "tree", self.folder / "t.tar.gz"
        for name, text in {**files, ".git/HEAD": "x"}.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        with tarfile.open(tarball, "w:gz") as tar:
            for path in sorted(tree.iterdir()):
                tar.add(path, path.name)
        return tarball

    def test_is_the_repositorys_own_with_the_tarball_in_it(self) -> None:
        tarball = self.tarball({"Dockerfile": "FROM x\nRUN y", ".dockerignore": "*.gz", "a/b": "c"})
        dockerfile, context = pinned_image.build_context(tarball, self.folder / "image")
        self.assertEqual(dockerfile.read_text(), "FROM x\nRUN y\nCOPY repo.tar.gz /changeling/repo.tar.gz\n")
        self.assertEqual((context / ".dockerignore").read_text(), "*.gz\n!repo.tar.gz\n")
        self.assertEqual((context / "repo.tar.gz").read_bytes(), tarball.read_bytes())
        self.assertEqual((context / "a/b").read_text(), "c")
        self.assertFalse((context / ".git").exists())

    def test_is_a_plain_one_without_a_dockerfile(self) -> None:
        dockerfile, context = pinned_image.build_context(self.tarball({"a": "b"}), self.folder / "image")
        self.assertTrue(dockerfile.read_text().startswith("FROM debian:bookworm-slim\nRUN apt-get update"))
        self.assertEqual([path.name for path in context.iterdir()], ["repo.tar.gz"])

    def test_takes_no_file_of_the_container_along(self) -> None:
        tree = self.folder / "tree"
        tree.mkdir()
        (self.folder / "token").write_text("FROM secret")
        (tree / "loot").symlink_to(self.folder / "token")
        (tree / "folder").symlink_to("/")
        (tree / "own").symlink_to("a")
        (tree / ".dockerignore").symlink_to(self.folder / "token")
        _, context = pinned_image.build_context(self.tarball({"Dockerfile": "FROM x", "a": "b"}), self.folder / "image")
        names = sorted(path.name for path in context.iterdir())
        self.assertEqual(names, [".dockerignore", "Dockerfile", "a", "own", "repo.tar.gz"])
        self.assertEqual((self.folder / "token").read_text(), "FROM secret")
        (tree / "Dockerfile").unlink()
        (tree / "Dockerfile").symlink_to(self.folder / "token")
        with self.assertRaisesRegex(pinned_image.ImageError, "is not a file in it"):
            pinned_image.build_context(self.tarball({}), self.folder / "again")

    def test_ends_as_root(self) -> None:
        text = pinned_image.dockerfile_with_tarball("from x\n  user nobody\n")
        self.assertEqual(text, "from x\n  user nobody\nUSER root\nCOPY repo.tar.gz /changeling/repo.tar.gz\n")

    def test_of_several_stages_is_refused(self) -> None:
        with self.assertRaisesRegex(pinned_image.ImageError, "several stages"):
            pinned_image.dockerfile_with_tarball("FROM a AS b\nRUN x\nFROM c\n")
        text = "FROM a\nRUN echo \\\n  # FROM b\n  from c\n# FROM d\n"
        self.assertTrue(pinned_image.dockerfile_with_tarball(text).startswith(text))


class Masking(Lab):
    def test_hides_values_their_json_and_their_lines(self) -> None:
        secret = 'first line"\nsecond line'
        text = f"{secret} {json.dumps(secret)} second line, and tok"
        self.assertEqual(masked(text, [secret, "tok", ""], MASK), '***\n*** "***\\n***" ***, and tok')

    def test_hides_base64_and_what_is_no_utf8(self) -> None:
        header = base64.b64encode(b"x-access-token:ghp_0123456789").decode()
        shown = masked(f"{header}\n\udcff é ghp_0123456789\n", ["ghp_0123456789"], MASK)
        self.assertRegex(shown, "^eC1hY2Nlc3MtdG9rZW46\\*\\*\\*=*\n\udcff é \\*\\*\\*\n$")

    def test_withholds_what_it_can_not_redact(self) -> None:
        self.assertEqual(masked("hush", ["hush"], Path("/nowhere")), "(withheld: secrets could not be redacted from it)")
