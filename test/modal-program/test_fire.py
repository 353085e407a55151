"""Firing a run, with a mngr that writes down how it was called."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab import HOSTILE, PROGRAM, RUN_COMMAND, USER_ID, Lab

from app_spec import AppSpec
from check import check
from fire import fire
from place import Place, RunError
from run_records import Records, timestamp

TOKEN = "ghp_s3cret\"line"

# Writes its arguments, environment and the files that they name; then acts as it is told.
MNGR = """#!{python} -S
import json, os, sys
folder = "{folder}"
args = sys.argv[1:]
files = {{}}
for option in ("--env-file", "--host-env-file", "--message-file"):
    if option in args:
        path = args[args.index(option) + 1]
        files[option] = [open(path).read(), oct(os.stat(path).st_mode & 0o777)]
call = {{"args": args, "env": dict(os.environ), "files": files, "cwd": os.getcwd()}}
call["isRepository"] = os.path.isdir(".git")
with open(folder + "/calls.jsonl", "a") as log:
    log.write(json.dumps(call) + "\\n")
behaviour = json.load(open(folder + "/behaviour.json")).get(args[0], {{}})
print(behaviour.get("stdout", ""))
print(behaviour.get("stderr", ""), file=sys.stderr)
sys.exit(behaviour.get("status", 0))
"""
CREATED = {"stdout": json.dumps({"event": "created", "agent_id": "agent-1", "host_id": "host-1"})}
FAILED = {"stdout": json.dumps({"event": "error", "message": f"no luck with {TOKEN}"}), "status": 1, "stderr": TOKEN}


def names_in(env_file: str) -> list[str]:
    return [line.partition("=")[0] for line in env_file.splitlines()]


class Fire(Lab):
    def setUp(self) -> None:
        super().setUp()
        self.program("mngr", MNGR.format(folder=self.folder, python=sys.executable))
        self.behave(create=CREATED)
        for name in ("home/keys", "runs"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "home/keys/0123456789abcdef.pub").write_text("ssh-ed25519 AAAA laptop\n")
        shutil.copytree(PROGRAM, self.folder / "program", ignore=shutil.ignore_patterns("__pycache__"))
        # Modal itself is not here.
        stub = f"import sys; open('{self.folder}/sandboxes', 'a').write(' '.join(sys.argv[1:]))"
        (self.folder / "program/sandboxes.py").write_text(stub)
        self.records = Records(self.folder / "runs", "fixer")
        self.reloads: list[Callable[[], None]] = []
        self.committed = 0

    def behave(self, **commands: dict[str, object]) -> None:
        (self.folder / "behaviour.json").write_text(json.dumps(commands))

    def calls(self, command: str) -> list[dict]:
        path = self.folder / "calls.jsonl"
        calls = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [call for call in calls if call["args"][0] == command]

    def environment(self, **changes: str) -> dict[str, str]:
        return {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "MODAL_IS_REMOTE": "1",
            "MNGR_USER_ID": USER_ID,
            "MNGR_PREFIX": "mngr-",
            "CHANGELINGS_MODAL_TOKEN_ID": "ak-1",
            "CHANGELINGS_MODAL_TOKEN_SECRET": "as-1-secret",
            "CHANGELINGS_MNGR_SETTINGS": "",
            "CHANGELINGS_GIT_NAME": "Ann O'Dyne",
            "CHANGELINGS_GIT_EMAIL": "ann@example.com",
            "GITHUB_TOKEN": TOKEN,
            **changes,
        }

    def place(self, environment: dict[str, str]) -> Place:
        def reload() -> None:
            for each in self.reloads:
                each()

        def commit() -> None:
            self.committed += 1

        return Place(
            home=self.folder / "home",
            runs=self.folder / "runs",
            program=self.folder / "program",
            run_command=RUN_COMMAND,
            tarball=self.folder / "repo.tar.gz",
            work_dir=self.folder / "code/project",
            environment=environment,
            reload=reload,
            commit=commit,
        )

    def fire(self, spec: AppSpec | None = None, cause: str = "schedule", request: str = "", **env: str) -> dict:
        return fire(spec or self.spec(), self.place(self.environment(**env)), cause, request)

    def line(self, run: str, event: str) -> dict:
        return json.loads((self.records.folder(run) / f"{event}.json").read_text())

    def lines(self, run: str) -> list[str]:
        return sorted(path.stem for path in self.records.folder(run).glob("*.json"))

    def earlier(self, ago: timedelta, *events: str) -> str:
        at = datetime.now(UTC) - ago
        run = self.records.begin(at)
        for event in ("fired", *events):
            self.records.write(run, event, at, hostId=f"host-of-{run}", cause={"kind": "manual"})
        return run

    # What comes of it

    def test_makes_an_agent_and_records_it(self) -> None:
        result = self.fire()
        run = str(result["run"])
        self.assertEqual(result, {"run": run, "outcome": "started", "reason": None})
        fired, created = self.line(run, "fired"), self.line(run, "created")
        self.assertRegex(fired.pop("at"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(fired["cause"].pop("due"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z$")
        self.assertEqual(
            fired,
            {
                "event": "fired", "changeling": "fixer", "id": run, "branch": f"changelings/{run}",
                "repo": "https://github.com/someone/thing.git", "cause": {"kind": "schedule"},
            },
        )  # fmt: skip
        self.assertEqual((created["agentId"], created["hostId"]), ("agent-1", "host-1"))
        self.assertEqual(self.committed, 2)

    def test_a_request_is_answered_once(self) -> None:
        first = self.fire(cause="manual", request="r-1")
        self.assertEqual(self.line(str(first["run"]), "fired")["cause"], {"kind": "manual"})
        self.assertEqual(self.line(str(first["run"]), "fired")["request"], "r-1")
        self.assertEqual(self.fire(cause="manual", request="r-1"), first)
        self.assertEqual(len(self.calls("create")), 1)

    def test_never_runs_twice_at_a_time(self) -> None:
        earlier = self.earlier(timedelta(minutes=10), "created")
        unreachable = {"agents": [], "errors": [{"host_id": f"host-of-{earlier}"}]}
        self.behave(list={"stdout": json.dumps(unreachable), "status": 1})
        result = self.fire(cause="manual", request="r-2")
        run = str(result["run"])
        self.assertEqual(result, {"run": run, "outcome": "skipped", "reason": f"{earlier} is still running"})
        self.assertEqual(self.lines(run), ["skipped"])
        self.assertEqual(self.line(run, "skipped")["request"], "r-2")
        self.assertEqual(self.calls("create"), [])
        self.assertEqual(self.fire(cause="manual", request="r-2"), result)

    def test_takes_one_that_is_being_made_for_alive(self) -> None:
        earlier = self.earlier(timedelta(minutes=70))
        self.assertEqual(self.fire()["reason"], f"{earlier} is still running")
        self.assertEqual(self.calls("list"), [])

    def test_takes_one_for_over_when_its_time_is(self) -> None:
        self.earlier(timedelta(minutes=66), "created")
        self.earlier(timedelta(minutes=81))
        self.assertEqual(self.fire()["outcome"], "started")

    def test_writes_down_the_end_of_one_whose_host_is_gone(self) -> None:
        earlier = self.earlier(timedelta(minutes=10), "created")
        self.behave(create=CREATED, list={"stdout": json.dumps({"agents": [], "errors": []})})
        self.assertEqual(self.fire()["outcome"], "started")
        ended = self.line(earlier, "ended")
        self.assertEqual(
            (ended["outcome"], ended["reason"]), ("failed", "its agent was stopped or destroyed by somebody else")
        )

    def test_leaves_the_end_that_was_written_meanwhile(self) -> None:
        earlier = self.earlier(timedelta(minutes=10), "created")
        self.behave(create=CREATED, list={"stdout": json.dumps({"agents": [], "errors": []})})
        comes = [lambda: None, lambda: self.records.write(earlier, "ended", datetime.now(UTC), outcome="no_changes")]
        self.reloads.append(lambda: comes.pop(0)() if comes else None)
        self.assertEqual(self.fire()["outcome"], "started")
        self.assertEqual(self.line(earlier, "ended")["outcome"], "no_changes")

    def test_destroys_the_agents_of_older_runs(self) -> None:
        runs = [self.earlier(timedelta(days=day), "created", "ended") for day in (5, 4, 3, 2)]
        self.earlier(timedelta(days=6), "ended")
        self.behave(create=CREATED)
        self.fire()
        self.assertEqual({call["args"][1] for call in self.calls("destroy")}, {f"@{run}.modal" for run in runs[:2]})
        self.assertEqual([self.lines(run)[1] == "destroyed" for run in runs], [True, True, False, False])

    def test_tries_again_to_destroy_what_could_not_be(self) -> None:
        runs = [self.earlier(timedelta(days=day), "created", "ended") for day in (5, 4, 3)]
        self.behave(create=CREATED, destroy={"status": 1})
        self.assertEqual(self.fire()["outcome"], "started")
        self.assertEqual(self.lines(runs[0]), ["created", "ended", "fired"])

    # When it fails

    def test_a_failed_create_is_cleared_away_and_recorded(self) -> None:
        self.behave(create=FAILED)
        result = self.fire()
        run, reason = str(result["run"]), "mngr create failed: no luck with ***"
        self.assertEqual(result, {"run": run, "outcome": "failed", "reason": reason})
        ended = self.line(run, "ended")
        self.assertEqual((ended["outcome"], ended["reason"], ended["commits"]), ("failed", reason, []))
        self.assertEqual((self.folder / "sandboxes").read_text(), f"mngr-{USER_ID} mngr-modal {run}")
        self.assertEqual([call["args"][1] for call in self.calls("destroy")], [f"@{run}.modal"])

    def test_an_agent_that_was_done_before_mngr_was_has_ended_well(self) -> None:
        self.behave(create=FAILED)

        def end() -> None:
            for run in self.records.runs():
                self.records.write(run.id, "ended", datetime.now(UTC), outcome="succeeded", commits=[])

        self.reloads.append(end)
        result = self.fire()
        self.assertEqual(result["outcome"], "started")
        self.assertEqual(self.line(str(result["run"]), "ended")["outcome"], "succeeded")

    def test_a_fault_of_its_own_is_recorded_and_raised(self) -> None:
        spec = self.spec({"env": {"NOT A NAME": "x"}})
        with self.assertRaises(ValueError):
            self.fire(spec)
        (run,) = self.records.runs()
        self.assertEqual(run.lines["ended"]["reason"], '"NOT A NAME" is not a name for an environment variable')
        self.assertEqual(self.calls("create"), [])

    def test_refuses_to_be_anybody_but_its_person(self) -> None:
        for changes, message in [
            ({"MNGR_USER_ID": ""}, "the stack's Secret lacks MNGR_USER_ID; mend it with: pulumi up"),
            ({"MNGR_USER_ID": "f" * 32}, f"the stack's Secret has another mngr user id than {USER_ID}"),
            ({"CHANGELINGS_MODAL_TOKEN_ID": ""}, "the stack's Secret lacks CHANGELINGS_MODAL_TOKEN_ID"),
        ]:
            with self.assertRaisesRegex(RunError, message.replace("(", r"\(")):
                self.fire(**changes)
        self.assertFalse((self.folder / "runs/fixer").exists())

    def test_says_which_snapshot_is_missing(self) -> None:
        result = self.fire(self.spec(image="snapshot", snapshotLabel="l-1"))
        self.assertEqual(result["reason"], "there is no snapshot l-1; mend it with: pulumi up")
        self.assertEqual(self.calls("destroy"), [])

    # What mngr is given

    def test_gives_mngr_the_agent(self) -> None:
        agent = {"args": [HOSTILE], "script": "true", "settings": ["a.b=1"], "buildArgs": ["cpu=2"]}
        run = str(self.fire(self.spec(agent))["run"])
        (call,) = self.calls("create")
        args = call["args"]
        wrapper = ["/bin/sh", "/changeling/run-command.sh", "/changeling/run", "/bin/sh", "/changeling/agent.sh"]
        self.assertEqual(args[args.index("--") + 1 :], [*wrapper, HOSTILE])
        labels = ["CREATOR=changeling", "changeling=fixer", f"changeling_run={run}", "changelings_stack=dev"]
        settings = ["providers.modal.is_snapshotted_after_create=false", "a.b=1"]
        build_args = ["cpu=2", "timeout=3780", "volume=changelings_dev_runs:/changelings-runs"]
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

    # Check mode

    def check(self, spec: AppSpec | None = None, **env: str) -> dict:
        return check(spec or self.spec(), self.folder / "home", self.folder / "runs", self.environment(**env))

    def test_check_finds_all_that_is_wrong(self) -> None:
        found = self.check(MNGR_USER_ID="f" * 32, GITHUB_TOKEN="")
        self.assertEqual(
            [problem for problem in found["problems"] if "is not in the image" not in problem],
            ["the secret GITHUB_TOKEN is not set", f"the mngr user id is {'f' * 32}, and {USER_ID} is declared"],
        )
        self.assertEqual((found["ok"], found["secrets"], found["userId"]), (False, [], "f" * 32))
        self.assertIn(
            "the stack's Secret lacks MNGR_USER_ID; mend it with: pulumi up", self.check(MNGR_USER_ID="")["problems"]
        )

    def test_check_names_what_is_set_and_changes_nothing(self) -> None:
        found = self.check()
        self.assertEqual((found["secrets"], found["userId"], found["mngr"]), (["GITHUB_TOKEN"], USER_ID, "0.3.0"))
        self.assertNotIn(TOKEN, json.dumps(found))
        self.assertEqual(list((self.folder / "runs").iterdir()), [])
