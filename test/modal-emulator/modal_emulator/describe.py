"""A readable account of the state, for tests and people: names and keys of secrets, never their values."""

import base64
from typing import Any

from google.protobuf.json_format import MessageToDict
from modal_proto import api_pb2

from .containers.sandbox import Sandbox
from .records import App, FunctionCall
from .results import status_name
from .state import State

Description = dict[str, Any]


def describe(state: State, sandboxes: list[Sandbox]) -> Description:
    return {
        "apps": [describe_app(state, app) for app in state.apps.values()],
        "secrets": [_secret(state, id) for id in state.secrets],
        "volumes": [{"id": v.id, "name": v.name, "environment": v.environment} for v in state.volumes.values()],
        "images": list(state.images),
        "environments": list(state.environments),
        "calls": [describe_call(state, call) for call in state.calls.values()],
        "sandboxes": [_sandbox(state, sandbox) for sandbox in sandboxes],
    }


def describe_app(state: State, app: App) -> Description:
    definitions = app.deployments[-1].definitions if app.deployments else {}
    return {
        "app_id": app.id,
        "name": app.name,
        "environment": app.environment,
        "state": api_pb2.AppState.Name(app.state),
        "tags": app.tags,
        "versions": [
            {
                "version": deployment.version,
                "deployed_at": deployment.deployed_at,
                "client_version": deployment.client_version,
                "tag": deployment.tag,
                "commit": deployment.commit,
                "rollback_of": deployment.rollback_of or None,
            }
            for deployment in app.deployments
        ],
        "functions": [
            {
                **_function(state, name, definition),
                "web_url": state.functions[app.deployments[-1].function_ids[name]].web_url or None,
            }
            for name, definition in definitions.items()
        ],
    }


def _function(state: State, name: str, definition: api_pb2.Function) -> Description:
    return {
        "name": name,
        "module": definition.module_name,
        "schedule": MessageToDict(definition.schedule, preserving_proto_field_name=True) or None,
        "timeout_secs": definition.timeout_secs,
        "max_containers": definition.concurrency_limit,
        "nonpreemptible": definition.scheduler_placement.nonpreemptible,
        "retries": definition.retry_policy.retries,
        "cpu_milli": definition.resources.milli_cpu,
        "memory_mb": definition.resources.memory_mb,
        "secrets": [_secret(state, id) for id in definition.secret_ids],
        "volumes": {
            volume.mount_path: {
                "id": volume.volume_id,
                "name": getattr(state.volumes.get(volume.volume_id), "name", None),
            }
            for volume in definition.volume_mounts
        },
        "mounts": [_mount(state, id) for id in sorted(definition.mount_ids)],
        "image_id": definition.image_id,
        "image": _image_layers(state, definition.image_id),
    }


def _image_layers(state: State, image_id: str) -> list[Description]:
    """From the bottom up, as its owner wrote them."""
    layers: list[Description] = []
    while image_id and (image := state.images.get(image_id)):
        definition = image.definition
        mount = state.mounts.get(definition.context_mount_id) if definition else None
        layers.append(
            {
                "image_id": image.id,
                "registry_tag": image.registry_tag,
                "dockerfile_commands": list(definition.dockerfile_commands) if definition else ["<snapshot>"],
                "steps": image.steps,
                "context_files": {f.filename: len(f.data) for f in definition.context_files} if definition else {},
                "context_mount": [f.filename for f in mount.files] if mount else [],
                "build_args": dict(definition.build_args) if definition else {},
                "secrets": [_secret(state, id) for id in definition.secret_ids] if definition else [],
                "builder_version": image.builder_version,
                "status": status_name(image.status),
            }
        )
        image_id = image.parent
    return layers[::-1]


def _secret(state: State, secret_id: str) -> Description:
    secret = state.secrets.get(secret_id)
    if secret is None:
        return {"id": secret_id}
    return {
        "id": secret.id,
        "name": secret.name or None,
        "environment": secret.environment,
        "keys": sorted(secret.env),
    }


def _mount(state: State, mount_id: str) -> Description:
    mount = state.mounts.get(mount_id)
    if mount is None:
        return {"id": mount_id}
    return {"id": mount.id, "name": mount.name or None, "files": [file.filename for file in mount.files]}


def describe_call(state: State, call: FunctionCall) -> Description:
    result = call.result
    app = state.apps.get(call.app_id)
    return {
        "function_call_id": call.id,
        "task_id": call.task_id,
        "app": app.name if app else call.app_id,
        "function": state.functions[call.function_id].name,
        "trigger": call.trigger,
        "scheduled_for": call.scheduled_for or None,
        "status": status_name(result.status) if result else "RUNNING" if call.started_at else "WAITING",
        "exception": (result.exception or None) if result else None,
        "traceback": (result.traceback or None) if result else None,
        "result_base64": base64.b64encode(result.data).decode() if result and result.data else None,
        "exit_code": call.exit_code,
        "started_at": call.started_at or None,
        "finished_at": call.finished_at or None,
        "seconds": round(call.finished_at - call.started_at, 3) if call.started_at and call.finished_at else None,
        "output": "".join(line.data for line in app.logs if line.function_call_id == call.id) if app else "",
    }


def _sandbox(state: State, sandbox: Sandbox) -> Description:
    app = state.apps.get(sandbox.app_id)
    return {
        "sandbox_id": sandbox.id,
        "app": app.name if app else sandbox.app_id,
        "environment": sandbox.environment,
        "name": sandbox.definition.name or None,
        "image_id": sandbox.definition.image_id,
        "command": sandbox.command,
        "timeout_secs": sandbox.definition.timeout_secs,
        "milli_cpu": sandbox.definition.resources.milli_cpu,
        "milli_cpu_max": sandbox.definition.resources.milli_cpu_max,
        "memory_mb": sandbox.definition.resources.memory_mb,
        "memory_mb_max": sandbox.definition.resources.memory_mb_max,
        "network": _network(sandbox.definition.network_access),
        "tags": sandbox.tags,
        "volumes": {volume.mount_path: volume.volume_id for volume in sandbox.definition.volume_mounts},
        "ports": sandbox.network.published,
        "execs": sandbox.exec_commands,
        "status": status_name(sandbox.result.status) if sandbox.result else "RUNNING",
    }


def _network(access: api_pb2.NetworkAccess) -> Description:
    return {
        "type": api_pb2.NetworkAccess.NetworkAccessType.Name(access.network_access_type),
        "cidrs": list(access.allowed_cidrs),
        "domains": list(access.allowed_domains),
    }
