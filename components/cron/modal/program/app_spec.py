"""The spec.json that the deployment adds to the image."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class AgentSpec:
    """The agent of every run; see the same fields of `AppSpec.agent` in spec.ts."""

    type: str
    mngr_type: str
    is_conversational: bool
    leaves_exit_status: bool
    script: str | None
    args: tuple[str, ...]
    message: str | None
    template: str | None
    build_args: tuple[str, ...]
    settings: tuple[str, ...]
    env: dict[str, str]


@dataclass(frozen=True)
class AppSpec:
    """Everything that a changeling's function needs except the secrets; see `AppSpec` in spec.ts."""

    stack: str
    name: str
    environment: str
    user_id: str
    prefix: str
    schedule: str
    timezone: str
    enabled: bool
    timeout_seconds: int
    settle_seconds: int
    keep_runs: int
    repo: str
    branch: str
    image: str
    commit: str | None
    snapshot_label: str | None
    agent: AgentSpec
    secrets: tuple[str, ...]
    secret_name: str
    stack_secret_name: str
    home_volume: str
    runs_volume: str
    app_name: str


def read_spec(path: Path) -> AppSpec:
    """Reads spec.json.

    Raises ValueError for any version but 1, and KeyError for a missing field.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.get("version") != 1:
        raise ValueError(f"{path} has version {data.get('version')!r}, and this program reads version 1")
    return _spec(data)


def _spec(data: dict[str, Any]) -> AppSpec:
    agent = data["agent"]
    return AppSpec(
        stack=data["stack"],
        name=data["name"],
        environment=data["environment"],
        user_id=data["userId"],
        prefix=data["prefix"],
        schedule=data["schedule"],
        timezone=data["timezone"],
        enabled=data["enabled"],
        timeout_seconds=int(data["timeoutSeconds"]),
        settle_seconds=int(data["settleSeconds"]),
        keep_runs=int(data["keepRuns"]),
        repo=data["repo"],
        branch=data["branch"],
        image=data["image"],
        commit=data["commit"],
        snapshot_label=data["snapshotLabel"],
        agent=AgentSpec(
            type=agent["type"],
            mngr_type=agent["mngrType"],
            is_conversational=agent["isConversational"],
            leaves_exit_status=agent["leavesExitStatus"],
            script=agent["script"],
            args=tuple(agent["args"]),
            message=agent["message"],
            template=agent["template"],
            build_args=tuple(agent["buildArgs"]),
            settings=tuple(agent["settings"]),
            env=dict(agent["env"]),
        ),
        secrets=tuple(data["secrets"]),
        secret_name=data["secretName"],
        stack_secret_name=data["stackSecretName"],
        home_volume=data["homeVolume"],
        runs_volume=data["runsVolume"],
        app_name=data["appName"],
    )
