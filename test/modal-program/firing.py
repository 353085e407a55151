"""What the tests of firing a run share: the program's folders, and a mngr that writes down how it was called."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from lab import GIT_WORK, MASK, PROGRAM, RUN_COMMAND, USER_ID, Lab

from app_spec import AppSpec
from fire import fire
from container import Container
from run_records import Records

TOKEN = "ghp_s3cret\"line"

# Writes its arguments, environment and the files that they name; then acts as its instructions say.
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


class Firing(Lab):
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
        (self.folder / "program/hosts.py").write_text(stub.replace("/sandboxes'", "/hosts'").replace("[1:])", "[1:]) + '\\n'"))
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

    def container(self, environment: dict[str, str]) -> Container:
        def reload() -> None:
            for each in self.reloads:
                each()

        def commit() -> None:
            self.committed += 1

        return Container(
            home=self.folder / "home",
            runs=self.folder / "runs",
            program=self.folder / "program",
            run_command=RUN_COMMAND,
            git_work=GIT_WORK,
            mask=MASK,
            tarball=self.folder / "repo.tar.gz",
            work_dir=self.folder / "code/project",
            environment=environment,
            reload=reload,
            commit=commit,
        )

    def cleaned(self) -> list[str]:
        path = self.folder / "hosts"
        return path.read_text().splitlines() if path.exists() else []

    def fire(
        self,
        spec: AppSpec | None = None,
        cause: str = "schedule",
        request: str = "",
        call: str = "",
        now: datetime | None = None,
        **env: str,
    ) -> dict:
        return fire(spec or self.spec(), self.container(self.environment(**env)), cause, request, call, now)

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
