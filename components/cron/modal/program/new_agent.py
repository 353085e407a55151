"""The options of `mngr create` for a run's agent, and the files that it reads."""

import json
from collections.abc import Mapping
from pathlib import Path

import mngr_client
import payload
import pinned_image
from app_spec import AppSpec
from container import Container, RunError, modal_settings
from env_file import env_file_text
from mngr_arguments import APPROVE_KEY, CreateOptions

# How long the watcher may take after a run's timeout to push, to record the end, and to end the sandbox with a snapshot.
# mngr's authors saw snapshots take minutes.
_ENDING_SECONDS = 600
# Modal's limit for a sandbox, minus what mngr adds.
_LONGEST_SECONDS = 86_400 - 120
_RUNS_IN_SANDBOX = "/changelings-runs"


def branch_of(run: str) -> str:
    return f"changelings/{run}"


def create_options(spec: AppSpec, container: Container, secrets: Mapping[str, str], run: str, folder: Path) -> CreateOptions:
    """Writes the files to a private folder. Raises RunError or ImageError if that is not possible."""
    agent = spec.agent
    variables = {**agent.env, **secrets}
    token = variables.get("GITHUB_TOKEN") or variables.get("GH_TOKEN")
    git_token = {"GH_TOKEN": token} if token else {}
    script = [] if agent.script is None else ["/bin/sh", f"{payload.FOLDER}/agent.sh"]
    wrapper = ["/bin/sh", f"{payload.FOLDER}/run-command.sh", f"{payload.FOLDER}/run", *script]
    image_args: list[str] = []
    if spec.image == "pinned":
        dockerfile, context = pinned_image.build_context(container.tarball, folder / "image")
        image_args = [f"file={dockerfile}", f"context-dir={context}"]

    def write(name: str, text: str) -> str:
        mngr_client.write_private(folder / name, text)
        return str(folder / name)

    return CreateOptions(
        run=run,
        type=agent.mngr_type,
        labels={
            "CREATOR": "changeling",
            "changeling": spec.name,
            "changeling_run": run,
            "changelings_stack": spec.stack,
        },
        work_dir=str(container.work_dir),
        # Without this, Claude Code refuses to run as root.
        env_file=write("agent.env", env_file_text({"IS_SANDBOX": "1", **git_token, **variables})),
        host_env_file=write("host.env", env_file_text(git_token)) if git_token else None,
        sandbox_timeout_seconds=min(spec.timeout_seconds + _ENDING_SECONDS, _LONGEST_SECONDS),
        volume=(spec.runs_volume, _RUNS_IN_SANDBOX),
        prepare=payload.prepare_commands(_payload(spec, container, run)),
        snapshot=_snapshot(spec, container.home) if spec.image == "snapshot" else None,
        provision=[APPROVE_KEY] if agent.is_conversational else [],
        template=agent.template,
        message_file=None if agent.message is None else write("message.md", agent.message),
        # The sandbox is snapshotted at its end. A snapshot at its start would only take time.
        settings=["providers.modal.is_snapshotted_after_create=false", *agent.settings],
        build_args=[*agent.build_args, *image_args],
        agent_args=[*(wrapper if agent.leaves_exit_status else []), *agent.args],
    )


def _payload(spec: AppSpec, container: Container, run: str) -> dict[str, bytes]:
    environment = container.environment
    plan = {
        "run": run,
        "changeling": spec.name,
        "repo": spec.repo,
        "branch": spec.branch,
        "new-branch": branch_of(run),
        "commit": spec.commit or "",
        "timeout-seconds": str(spec.timeout_seconds),
        "settle-seconds": str(spec.settle_seconds),
        "ends": _ends(spec),
        "git-name": environment.get("CHANGELINGS_GIT_NAME") or f"{spec.name} (changeling)",
        "git-email": environment.get("CHANGELINGS_GIT_EMAIL") or f"{spec.name}@changelings.invalid",
        # mngr's names for the terminal and, by default, its folder.
        "session": f"{spec.prefix}{run}",
        "secrets": "".join(f"{name}\n" for name in sorted({"GH_TOKEN", *spec.secrets})),
        "host-dir": str(modal_settings(environment).get("host_dir", "/mngr")),
        "volume": _RUNS_IN_SANDBOX,
        "work-dir": str(container.work_dir),
    }
    names = ("prepare.sh", "watch.sh", "wait-for-end.sh", "remove-secrets.sh", "git-credential.sh")
    scripts = {name: container.program / name for name in names}
    scripts |= {path.name: path for path in (container.run_command, container.git_work, container.mask)}
    return payload.payload_files(plan, scripts, _public_keys(container.home), spec.agent.script)


def _ends(spec: AppSpec) -> str:
    """How the watcher recognizes that the agent is done."""
    is_printed = "-p" in spec.agent.args or "--print" in spec.agent.args
    if spec.agent.is_conversational and not is_printed:
        return "settles"
    return "leaves-status" if spec.agent.leaves_exit_status else "exits"


def _public_keys(home: Path) -> list[str]:
    files = sorted((home / "keys").glob("*.pub"))
    return [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _snapshot(spec: AppSpec, home: Path) -> str:
    path = home / "snapshots" / f"{spec.snapshot_label}.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["imageId"])
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"there is no snapshot {spec.snapshot_label}; repair it with: pulumi up") from error
