"""What a run is given: what reaches mngr, and what check mode says of it without a run."""

import json
from pathlib import Path

from firing import CREATED, TOKEN, Firing
from lab import HOSTILE, USER_ID

from app_spec import AppSpec
from check import check


def names_in(env_file: str) -> list[str]:
    return [line.partition("=")[0] for line in env_file.splitlines()]


class Given(Firing):
    def test_gives_mngr_the_agent(self) -> None:
        agent = {"args": [HOSTILE], "script": "true", "settings": ["a.b=1"], "buildArgs": ["cpu=2"]}
        run = str(self.fire(self.spec(agent))["run"])
        (call,) = self.calls("create")
        args = call["args"]
        wrapper = ["/bin/sh", "/changeling/run-command.sh", "/changeling/run", "/bin/sh", "/changeling/agent.sh"]
        self.assertEqual(args[args.index("--") + 1 :], [*wrapper, HOSTILE])
        labels = ["CREATOR=changeling", "changeling=fixer", f"changeling_run={run}", "changelings_stack=dev"]
        settings = ["providers.modal.is_snapshotted_after_create=false", "a.b=1"]
        build_args = ["cpu=2", "timeout=4200", "volume=changelings_dev_runs:/changelings-runs"]
        for option, values in [
            ("--label", labels), ("--host-label", labels), ("--setting", settings), ("--build-arg", build_args)
        ]:  # fmt: skip
            self.assertEqual([args[at + 1] for at, word in enumerate(args) if word == option], values)
        self.assertEqual((call["cwd"], call["isRepository"]), (str(self.folder / "code/project"), True))

    def test_keeps_secrets_in_private_files_that_are_gone_afterwards(self) -> None:
        self.behave(create={**CREATED, "stderr": f"echo {TOKEN} and as-1-secret"})
        run = str(self.fire(self.spec({"message": HOSTILE}))["run"])
        (call,) = self.calls("create")
        text, mode = call["files"]["--env-file"]
        self.assertEqual(mode, "0o600")
        self.assertEqual(names_in(text), ["IS_SANDBOX", "GH_TOKEN", "GITHUB_TOKEN"])
        self.assertEqual(names_in(call["files"]["--host-env-file"][0]), ["GH_TOKEN"])
        self.assertEqual(call["files"]["--message-file"][0], HOSTILE)
        self.assertEqual(call["env"].pop("MODAL_TOKEN_SECRET"), "as-1-secret")
        said = json.dumps([call["args"], call["env"]])
        for secret in (TOKEN, "ghp_s3cret", "as-1-secret"):
            self.assertNotIn(secret, said)
        self.assertFalse(Path(call["args"][call["args"].index("--env-file") + 1]).exists())
        log = (self.records.folder(run) / "create.log").read_text()
        self.assertIn("echo *** and ***", log)
        self.assertNotIn("MODAL_IS_REMOTE", call["env"])

    def test_gives_no_token_to_a_host_that_has_none(self) -> None:
        self.fire(self.spec(secrets=[]))
        self.assertNotIn("--host-env-file", self.calls("create")[0]["args"])

    def test_starts_from_a_snapshot(self) -> None:
        (self.folder / "home/snapshots").mkdir()
        (self.folder / "home/snapshots/l-1.json").write_text('{"imageId": "im-1"}')
        self.fire(self.spec(image="snapshot", snapshotLabel="l-1"))
        args = self.calls("create")[0]["args"]
        self.assertEqual(args[args.index("--snapshot") + 1], "im-1")


class Check(Firing):
    def check(self, spec: AppSpec | None = None, **env: str) -> dict:
        return check(spec or self.spec(), self.folder / "home", self.folder / "runs", self.environment(**env))

    def test_check_finds_all_that_is_wrong(self) -> None:
        found = self.check(MNGR_USER_ID="f" * 32, GITHUB_TOKEN="")
        self.assertEqual(
            [problem for problem in found["problems"] if "is not in the image" not in problem],
            ["the secret GITHUB_TOKEN is not set", f"the mngr user id is {'f' * 32}, but {USER_ID} is declared"],
        )
        self.assertEqual((found["ok"], found["secrets"], found["userId"]), (False, [], "f" * 32))
        self.assertIn(
            "the stack's Secret lacks MNGR_USER_ID; repair it with: pulumi up", self.check(MNGR_USER_ID="")["problems"]
        )

    def test_check_names_what_is_set_and_changes_nothing(self) -> None:
        found = self.check()
        self.assertEqual((found["secrets"], found["userId"], found["mngr"]), (["GITHUB_TOKEN"], USER_ID, "0.3.0"))
        self.assertNotIn(TOKEN, json.dumps(found))
        self.assertEqual(list((self.folder / "runs").iterdir()), [])
