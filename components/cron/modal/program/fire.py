"""Fires a run of a changeling: creates its agent in a sandbox, which then works without this function (see watch.sh)."""

import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mngr_arguments
import mngr_client
from app_spec import AppSpec
from container import Container, RunError, identity_of, modal_settings
from masking import masked
from mngr_client import Identity, Process
from new_agent import branch_of, create_options
from pinned_image import ImageError
from repeated_fire import repeated
from run_records import Records, Run

# The function's timeout, in seconds.
FUNCTION_SECONDS = 900
# The part of it that `mngr create` may take; the rest is for removing leftovers.
_CREATE_SECONDS = 780
_DESTROY_SECONDS = 90
# Agents of older runs are destroyed while the new one is created. How long to wait for that afterwards.
_LINGER_SECONDS = 15
# The maximum number of hosts to destroy in one run; normally it is one.
_MOST_DESTROYED = 3
# How long after its run's timeout a sandbox has certainly ended: see new_agent.py. Includes mngr's own margin.
_MARGIN_SECONDS = 720
# The timeout for cleaning up the hosts of earlier runs.
_CLEAN_SECONDS = 60
_LOG_BYTES = 64_000

def fire(
    spec: AppSpec, container: Container, cause: str, request: str, call: str = "", now: datetime | None = None
) -> dict[str, object]:
    """Fires a run. Returns `{"run": id, "outcome": "started" | "skipped" | "failed", "reason": text or None}`.

    cause is "schedule" or "manual". Modal does not pass the due time of a scheduled call, so it is the current minute.
    A request that was already answered is not fired again, for instance if Modal calls this function twice.
    call is the id of Modal's call. Modal repeats a call if it preempted the machine. Its run is then resumed, if it has
    no agent yet.
    """
    identity = identity_of(container.environment)
    if identity.user_id != spec.user_id:
        raise RunError(f"the stack's Secret has another mngr user id than {spec.user_id}; repair it with: pulumi up")
    now = now or datetime.now(UTC)
    container.reload()
    records = Records(container.runs, spec.name)
    runs = records.runs()
    interrupted = next((run for run in runs if call != "" and run.call == call and _has_no_agent_yet(run)), None)
    answered = next((run for run in runs if _is_of(run, request, call)), None)
    if answered is not None and interrupted is None:
        return _answer(answered)
    with tempfile.TemporaryDirectory(prefix="changeling-") as folder:
        firing = _Firing(spec, container, identity, records, Path(folder))
        if interrupted is not None:
            return firing.resume(interrupted.id, [run for run in runs if run is not interrupted])
        alive = firing.alive(runs, now)
        run = records.begin(now)
        fields: dict[str, object] = {"cause": _cause(cause, now)}
        if request != "":
            fields["request"] = request
        if call != "":
            fields["call"] = call
        reason = f"{alive} is still running" if alive is not None else None
        if reason is None and cause == "schedule":
            reason = repeated(spec, runs, now)
        if reason is not None:
            records.write(run, "skipped", now, reason=reason, **fields)
            container.commit()
            return {"run": run, "outcome": "skipped", "reason": reason}
        records.write(run, "fired", now, branch=branch_of(run), repo=spec.repo, **fields)
        container.commit()
        return firing.start(run, runs)


def _is_of(run: Run, request: str, call: str) -> bool:
    return (request != "" and run.request == request) or (call != "" and run.call == call)


def _has_no_agent_yet(run: Run) -> bool:
    return run.is_open and "created" not in run.lines


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
    """The state that the steps of one call share."""

    def __init__(self, spec: AppSpec, container: Container, identity: Identity, records: Records, folder: Path):
        self.spec, self.container, self.records, self.folder = spec, container, records, folder
        self._began = time.monotonic()
        self._has_started_create = False
        # Runs that were not watched to their end, so their secrets may still be on their volumes.
        self._unwatched: list[Run] = []
        self._environment = mngr_client.mngr_environment(identity, folder, container.environment)
        self._secrets = {name: container.environment[name] for name in spec.secrets if name in container.environment}
        self._hidden = [*self._secrets.values(), identity.token_secret]
        settings = container.environment.get("CHANGELINGS_MNGR_SETTINGS", "")
        mngr_client.write_profile(folder, identity.user_id, settings)

    def alive(self, runs: list[Run], now: datetime) -> str | None:
        """The id of a run that has not ended, as far as can be known."""
        for run in reversed(runs):
            if not run.is_open or self.is_over(run, now):
                continue
            if not self._has_lost_its_host(run):
                return run.id
            # Its end may have been recorded while mngr was running.
            self.container.reload()
            if not (self.records.folder(run.id) / "ended.json").exists():
                reason = "its agent was stopped or destroyed by somebody else"
                self.records.write(run.id, "ended", now, outcome="failed", reason=reason, commits=[])
                self._unwatched.append(run)
        return None

    def is_over(self, run: Run, now: datetime) -> bool:
        """True for a run that has ended, or whose sandbox must have ended."""
        if not run.is_open:
            return True
        over_at = self._over_at(run)
        return over_at is None or now > over_at

    def _over_at(self, run: Run) -> datetime | None:
        """When the sandbox of an open run must have ended; None if unknown."""
        created = run.lines.get("created")
        began = run.fired_at if created is None else datetime.fromisoformat(created["at"])
        create_seconds = FUNCTION_SECONDS if created is None else 0
        most = timedelta(seconds=create_seconds + self.spec.timeout_seconds + _MARGIN_SECONDS)
        return None if began is None else began + most

    def end_unwatched(self, runs: list[Run], now: datetime) -> list[Run]:
        """Records the end of runs that are over, but did not record it. Returns them: their hosts must be cleaned up."""
        ended = []
        for run in runs:
            over_at = self._over_at(run)
            if not run.is_open or over_at is None or now <= over_at:
                continue
            # The same reasons as in remote-runs.ts.
            reason = "its agent never reported"
            if "created" in run.lines:
                reason = f"it did not report its end within its {self.spec.timeout_seconds} s"
            self.records.write(run.id, "ended", over_at, outcome="timed_out", reason=reason, commits=[])
            ended.append(run)
        return ended

    def resume(self, run: str, earlier: list[Run]) -> dict[str, object]:
        """Resumes a run whose machine was preempted before its agent was recorded."""
        self._remove_leftovers(run)
        return self.start(run, earlier)

    def _has_lost_its_host(self, run: Run) -> bool:
        """True if mngr has listed all hosts, and none of the run is running. Takes seconds, so it is called last."""
        host_id = run.lines.get("created", {}).get("hostId")
        if host_id is None:
            return False
        process = self._start(mngr_arguments.list_arguments(), "list")
        process.wait(_DESTROY_SECONDS)
        return mngr_client.has_no_running_host(process.stdout, host_id)

    def start(self, run: str, earlier: list[Run]) -> dict[str, object]:
        """Creates the agent of a run that was recorded as fired."""
        # One process for each, so that one that can't be destroyed (its user works in it) does not stop the others.
        now = datetime.now(UTC)
        self._unwatched += self.end_unwatched(earlier, now)
        blanking = self._clean("blank", self._unwatched)
        # The leftovers of a create without a result can only be found by the run's name.
        outdated = [*self._outdated(earlier), *(each.id for each in self._unwatched if each.host_id is None)]
        destroying = {
            old: self._start(mngr_arguments.destroy_arguments(old), f"destroy-{old}") for old in outdated
        }
        try:
            created = self._create(run)
            fields = {"agentId": created.agent_id, "hostId": created.host_id}
            self.records.write(run, "created", datetime.now(UTC), **fields)
            result: dict[str, object] = {"run": run, "outcome": "started", "reason": None}
        except Exception as error:
            result = self._failed(run, error)
        linger_until = time.monotonic() + _LINGER_SECONDS
        destroyed = [old for old, process in destroying.items() if process.wait(linger_until - time.monotonic()) == 0]
        discarding = self._clean("discard", [old for old in earlier if old.id in destroyed])
        for process in (blanking, discarding):
            if process is not None and process.wait(_CLEAN_SECONDS) != 0:
                reason = masked(process.stderr, self._hidden, self.container.mask).strip()
                print(f"warning: leftovers of an earlier run remain: {reason}")
        for old_id in destroyed:
            self.records.write(old_id, "destroyed", datetime.now(UTC))
        now = datetime.now(UTC)
        self.records.compact(lambda each: self.is_over(each, now))
        self.container.commit()
        return result

    def _failed(self, run: str, error: Exception) -> dict[str, object]:
        reason = masked(f"{error}", self._hidden, self.container.mask)
        if self._has_started_create:
            self._remove_leftovers(run)
        self.container.reload()
        if (self.records.folder(run) / "ended.json").exists():
            # The agent finished before mngr did: the watcher recorded its end, and ended the sandbox that mngr was using.
            return {"run": run, "outcome": "started", "reason": None}
        self.records.write(run, "ended", datetime.now(UTC), outcome="failed", reason=reason, commits=[])
        if not isinstance(error, (RunError, ImageError)):
            self.container.commit()
            raise error
        return {"run": run, "outcome": "failed", "reason": reason}

    def _remove_leftovers(self, run: str) -> None:
        """Removes what a failed create may have left: a sandbox, which would keep costing money, and mngr's record."""
        program = [sys.executable, str(self.container.program / "sandboxes.py")]
        self._run([*program, self.spec.environment, self._app_name(), run], "sandboxes").wait(_DESTROY_SECONDS)
        self._start(mngr_arguments.destroy_arguments(run), "remove-leftovers").wait(_DESTROY_SECONDS)

    def _clean(self, verb: str, runs: list[Run]) -> Process | None:
        """Starts to remove what mngr left of these runs' hosts; see hosts.py."""
        hosts = [word for run in runs if (host := run.host_id) is not None for word in (run.id, host)]
        if not hosts:
            return None
        program = [sys.executable, str(self.container.program / "hosts.py"), verb, self.spec.environment]
        return self._run([*program, self.spec.prefix, self._app_name(), *hosts], f"{verb}-hosts")

    def _app_name(self) -> str:
        """The app that contains mngr's sandboxes."""
        settings = modal_settings(self.container.environment)
        return str(settings.get("app_name") or mngr_client.mngr_app_name(self.spec.prefix))

    def _outdated(self, runs: list[Run]) -> list[str]:
        kept = [run.id for run in runs if run.agent_is_kept and "ended" in run.lines]
        return kept[: max(0, len(kept) - self.spec.keep_runs)][:_MOST_DESTROYED]

    def _create(self, run: str) -> mngr_client.Created:
        """Raises RunError if no agent was created."""
        options = create_options(self.spec, self.container, self._secrets, run, self.folder)
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
            raise RunError(f"mngr create did not finish within {_CREATE_SECONDS} s")
        if created.agent_id is None:
            raise RunError(f"mngr create failed: {created.error}")
        return created

    def _make_work_dir(self) -> None:
        """mngr uses the source's path as the path of the work dir, and requires a git repository there."""
        folder = self.container.work_dir
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for args in (["init", "--quiet"], ["remote", "add", "origin", self.spec.repo]):
            subprocess.run(["git", *args], cwd=folder, env=self._environment, check=True, capture_output=True)

    def _keep_log(self, run: str, process: Process) -> None:
        """Keeps only stderr: stdout is for programs, and the run's record contains the reason of a failure."""
        text = masked(process.stderr, self._hidden, self.container.mask).encode("utf-8", "replace")[-_LOG_BYTES:]
        (self.records.folder(run) / "create.log").write_bytes(text)

    def _start(self, args: list[str], name: str) -> Process:
        return self._run(["mngr", *args], name)

    def _run(self, command: list[str], name: str) -> Process:
        cwd = self.container.work_dir if self.container.work_dir.is_dir() else self.folder
        return Process(command, self._environment, cwd, self.folder / name)
