"""One run of a changeling, up to its agent: from then on the sandbox is on its own (see watch.sh)."""

import json
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mngr_arguments
import mngr_client
import payload
import pinned_image
from app_spec import AppSpec
from env_file import env_file_text
from masking import masked
from mngr_client import Identity, Process
from run_records import Records, Run

# The function's own time, in seconds: Modal ends it then.
FUNCTION_SECONDS = 900
# What `mngr create` may take of it; the rest is for clearing away.
_CREATE_SECONDS = 780
_DESTROY_SECONDS = 90
# A destroy goes on beside the create; so long it is waited for afterwards.
_LINGER_SECONDS = 15
# So many hosts are destroyed at most in one run; normally it is one.
_MOST_DESTROYED = 3
# What the watcher needs, once a run's time is over, to push, to write down the end and to end the sandbox.
_ENDING_SECONDS = 180
# A sandbox is gone for good so long after its run's time is over: mngr's own margin is in it.
_MARGIN_SECONDS = 300
_LOG_BYTES = 64_000

RUNS_IN_SANDBOX = "/changelings-runs"
WORK_DIR = "/code/project"


@dataclass(frozen=True)
class Place:
    """Where a function finds things."""

    home: Path
    runs: Path
    program: Path
    run_command: Path
    tarball: Path
    work_dir: Path
    environment: Mapping[str, str]
    # Brings in what others wrote to the runs volume.
    reload: Callable[[], None]
    # Lets others see what was written to it.
    commit: Callable[[], None]


class RunError(Exception):
    """No agent could be made; the message says why. Nothing of it is left."""


def identity_of(environment: Mapping[str, str]) -> Identity:
    """The person's, from the stack's Secret. Raises RunError when something of it is missing: none is ever made up."""
    names = ("MNGR_USER_ID", "MNGR_PREFIX", "CHANGELINGS_MODAL_TOKEN_ID", "CHANGELINGS_MODAL_TOKEN_SECRET")
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise RunError(f"the stack's Secret lacks {', '.join(missing)}; mend it with: pulumi up")
    return Identity(*(environment[name] for name in names))


def fire(spec: AppSpec, place: Place, cause: str, request: str) -> dict[str, object]:
    """Fires a run. Returns `{"run": id, "outcome": "started" | "skipped" | "failed", "reason": text or None}`.

    cause is "schedule" or "manual"; of the former Modal does not tell for when it was due, so that is the minute in
    which it comes. A request that was answered before, for instance because Modal called this twice, is not again.
    """
    identity = identity_of(place.environment)
    if identity.user_id != spec.user_id:
        raise RunError(f"the stack's Secret has another mngr user id than {spec.user_id}; mend it with: pulumi up")
    now = datetime.now(UTC)
    place.reload()
    records = Records(place.runs, spec.name)
    runs = records.runs()
    answered = next((run for run in runs if request != "" and run.request == request), None)
    if answered is not None:
        return _answer(answered)
    with tempfile.TemporaryDirectory(prefix="changeling-") as folder:
        firing = _Firing(spec, place, identity, records, Path(folder))
        alive = firing.alive(runs, now)
        run = records.begin(now)
        fields: dict[str, object] = {"cause": _cause(cause, now)}
        if request != "":
            fields["request"] = request
        if alive is not None:
            reason = f"{alive} is still running"
            records.write(run, "skipped", now, reason=reason, **fields)
            place.commit()
            return {"run": run, "outcome": "skipped", "reason": reason}
        records.write(run, "fired", now, branch=branch_of(run), repo=spec.repo, **fields)
        place.commit()
        return firing.start(run, runs)


def branch_of(run: str) -> str:
    return f"changelings/{run}"


def _cause(cause: str, now: datetime) -> dict[str, str]:
    if cause != "schedule":
        return {"kind": "manual"}
    return {"kind": "schedule", "due": now.replace(second=0, microsecond=0).strftime("%Y-%m-%dT%H:%M:%S.000Z")}


def _answer(run: Run) -> dict[str, object]:
    reason = (run.lines.get("skipped") or run.lines.get("ended") or {}).get("reason")
    has_failed = "created" not in run.lines and "ended" in run.lines
    outcome = "skipped" if "skipped" in run.lines else "failed" if has_failed else "started"
    return {"run": run.id, "outcome": outcome, "reason": reason}


class _Firing:
    """What the steps of one call share."""

    def __init__(self, spec: AppSpec, place: Place, identity: Identity, records: Records, folder: Path):
        self.spec, self.place, self.records, self.folder = spec, place, records, folder
        self._began = time.monotonic()
        self._has_started_create = False
        self._environment = mngr_client.mngr_environment(identity, folder, place.environment)
        self._secrets = {name: place.environment[name] for name in spec.secrets if name in place.environment}
        self._hidden = [*self._secrets.values(), identity.token_secret]
        self._settings = place.environment.get("CHANGELINGS_MNGR_SETTINGS", "")
        mngr_client.write_profile(folder, identity.user_id, self._settings)

    def alive(self, runs: list[Run], now: datetime) -> str | None:
        """The id of a run that has not ended, as far as can be known."""
        for run in reversed(runs):
            if not run.is_open or self.is_over(run, now):
                continue
            if not self._has_lost_its_host(run):
                return run.id
            # Its end may have been written while mngr looked.
            self.place.reload()
            if not (self.records.folder(run.id) / "ended.json").exists():
                reason = "its agent was stopped or destroyed by somebody else"
                self.records.write(run.id, "ended", now, outcome="failed", reason=reason, commits=[])
        return None

    def is_over(self, run: Run, now: datetime) -> bool:
        """True for one that has ended, or whose sandbox can't be there any more."""
        if not run.is_open:
            return True
        created = run.lines.get("created")
        began = run.fired_at if created is None else datetime.fromisoformat(created["at"])
        create_seconds = FUNCTION_SECONDS if created is None else 0
        most = timedelta(seconds=create_seconds + self.spec.timeout_seconds + _MARGIN_SECONDS)
        return began is None or now > began + most

    def _has_lost_its_host(self, run: Run) -> bool:
        """True when mngr, having looked everywhere, knows no running host of it. Takes seconds, so it is asked last."""
        host_id = run.lines.get("created", {}).get("hostId")
        if host_id is None:
            return False
        process = self._start(mngr_arguments.list_arguments(), "list")
        process.wait(_DESTROY_SECONDS)
        return mngr_client.has_no_running_host(process.stdout, host_id)

    def start(self, run: str, earlier: list[Run]) -> dict[str, object]:
        """Makes the agent of a run that was recorded as fired."""
        # One at a time, so that one which can't be destroyed (its person works on it) does not keep the others.
        destroying = {
            old: self._start(mngr_arguments.destroy_arguments(old), f"destroy-{old}") for old in self._outdated(earlier)
        }
        try:
            created = self._create(run)
            fields = {"agentId": created.agent_id, "hostId": created.host_id}
            self.records.write(run, "created", datetime.now(UTC), **fields)
            result: dict[str, object] = {"run": run, "outcome": "started", "reason": None}
        except Exception as error:
            result = self._failed(run, error)
        linger_until = time.monotonic() + _LINGER_SECONDS
        for old, process in destroying.items():
            if process.wait(linger_until - time.monotonic()) == 0:
                self.records.write(old, "destroyed", datetime.now(UTC))
        now = datetime.now(UTC)
        self.records.compact(lambda each: self.is_over(each, now))
        self.place.commit()
        return result

    def _failed(self, run: str, error: Exception) -> dict[str, object]:
        reason = masked(f"{error}", self._hidden)
        if self._has_started_create:
            # It may have left a sandbox, which would go on costing.
            self._start(mngr_arguments.destroy_arguments(run), "clear-away").wait(_DESTROY_SECONDS)
        self.place.reload()
        if (self.records.folder(run) / "ended.json").exists():
            # The agent was done before mngr was: the watcher has written its end, and ended its sandbox under mngr.
            return {"run": run, "outcome": "started", "reason": None}
        self.records.write(run, "ended", datetime.now(UTC), outcome="failed", reason=reason, commits=[])
        if not isinstance(error, (RunError, pinned_image.ImageError)):
            self.place.commit()
            raise error
        return {"run": run, "outcome": "failed", "reason": reason}

    def _outdated(self, runs: list[Run]) -> list[str]:
        kept = [run.id for run in runs if run.agent_is_kept and "ended" in run.lines]
        return kept[: max(0, len(kept) - self.spec.keep_runs)][:_MOST_DESTROYED]

    def _create(self, run: str) -> mngr_client.Created:
        """Raises RunError when there is no agent."""
        options = self._create_options(run)
        self._make_work_dir()
        self._has_started_create = True
        process = self._start(mngr_arguments.create_arguments(options), "create")
        status = process.wait(_CREATE_SECONDS - (time.monotonic() - self._began))
        for file in (options.env_file, options.host_env_file):
            if file is not None:
                Path(file).unlink()
        self._keep_log(run, process)
        created = mngr_client.created_from(process.stdout, process.stderr)
        if status is None:
            raise RunError(f"mngr create was not done within {_CREATE_SECONDS} s")
        if created.agent_id is None:
            raise RunError(f"mngr create failed: {created.error}")
        return created

    def _create_options(self, run: str) -> mngr_arguments.CreateOptions:
        spec, agent = self.spec, self.spec.agent
        token = self._secrets.get("GITHUB_TOKEN") or agent.env.get("GITHUB_TOKEN")
        git_token = {} if token is None else {"GH_TOKEN": token}
        # Claude Code runs as root only where it is told that nothing else is at stake.
        agent_env = {"IS_SANDBOX": "1", **git_token, **agent.env, **self._secrets}
        script = [] if agent.script is None else ["/bin/sh", f"{payload.FOLDER}/agent.sh"]
        wrapper = ["/bin/sh", f"{payload.FOLDER}/run-command.sh", f"{payload.FOLDER}/run", *script]
        image_args: list[str] = []
        if spec.image == "pinned":
            dockerfile, context = pinned_image.build_context(self.place.tarball, self.folder / "image")
            image_args = [f"file={dockerfile}", f"context-dir={context}"]
        return mngr_arguments.CreateOptions(
            run=run,
            type=agent.mngr_type,
            labels={
                "CREATOR": "changeling",
                "changeling": spec.name,
                "changeling_run": run,
                "changelings_stack": spec.stack,
            },
            work_dir=str(self.place.work_dir),
            env_file=self._write("agent.env", env_file_text(agent_env)),
            host_env_file=self._write("host.env", env_file_text(git_token)) if git_token else None,
            sandbox_timeout_seconds=spec.timeout_seconds + _ENDING_SECONDS,
            volume=(spec.runs_volume, RUNS_IN_SANDBOX),
            prepare=payload.prepare_commands(self._payload(run)),
            snapshot=self._snapshot() if spec.image == "snapshot" else None,
            template=agent.template,
            message_file=None if agent.message is None else self._write("message.md", agent.message),
            # The sandbox is snapshotted at its end; one more at its beginning would only take time.
            settings=["providers.modal.is_snapshotted_after_create=false", *agent.settings],
            build_args=[*agent.build_args, *image_args],
            agent_args=[*(wrapper if agent.leaves_exit_status else []), *agent.args],
        )

    def _payload(self, run: str) -> dict[str, bytes]:
        spec, environment = self.spec, self.place.environment
        ends = "settles" if spec.agent.is_conversational else "leaves-status" if spec.agent.leaves_exit_status else "exits"
        plan = {
            "run": run,
            "changeling": spec.name,
            "repo": spec.repo,
            "branch": spec.branch,
            "new-branch": branch_of(run),
            "commit": spec.commit or "",
            "timeout-seconds": str(spec.timeout_seconds),
            "settle-seconds": str(spec.settle_seconds),
            "ends": ends,
            "git-name": environment.get("CHANGELINGS_GIT_NAME") or f"{spec.name} (changeling)",
            "git-email": environment.get("CHANGELINGS_GIT_EMAIL") or f"{spec.name}@changelings.invalid",
            "session": f"{spec.prefix}{run}",
            "host-dir": self._host_dir(),
            "volume": RUNS_IN_SANDBOX,
            "work-dir": WORK_DIR,
        }
        program = self.place.program
        scripts = {name: program / name for name in ("prepare.sh", "watch.sh", "git-credential.sh")}
        scripts["run-command.sh"] = self.place.run_command
        return payload.payload_files(plan, scripts, self._public_keys(), spec.agent.script)

    def _host_dir(self) -> str:
        """mngr's folder in sandboxes: its default, or what the person's settings say."""
        modal = tomllib.loads(self._settings).get("providers", {}).get("modal", {})
        return str(modal.get("host_dir", "/mngr"))

    def _public_keys(self) -> list[str]:
        files = sorted((self.place.home / "keys").glob("*.pub"))
        return [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]

    def _snapshot(self) -> str:
        label = self.spec.snapshot_label
        path = self.place.home / "snapshots" / f"{label}.json"
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["imageId"])
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"there is no snapshot {label}; mend it with: pulumi up") from error

    def _make_work_dir(self) -> None:
        """mngr takes the path of its source as that of the work dir, and the source for a git repository."""
        folder = self.place.work_dir
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for args in (["init", "--quiet"], ["remote", "add", "origin", self.spec.repo]):
            subprocess.run(["git", *args], cwd=folder, env=self._environment, check=True, capture_output=True)

    def _keep_log(self, run: str, process: Process) -> None:
        text = masked(process.stderr + process.stdout, self._hidden).encode()[-_LOG_BYTES:]
        (self.records.folder(run) / "create.log").write_bytes(text)

    def _write(self, name: str, text: str) -> str:
        path = self.folder / name
        mngr_client.write_private(path, text)
        return str(path)

    def _start(self, args: list[str], name: str) -> Process:
        cwd = self.place.work_dir if self.place.work_dir.is_dir() else self.folder
        return Process(args, self._environment, cwd, self.folder / name)
