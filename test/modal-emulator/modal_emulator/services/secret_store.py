"""Secrets: sets of environment variables, named (of an environment) or unnamed (of an app)."""

import time
from typing import Any, Literal

from grpclib import Status
from modal_proto import api_pb2

from ..ids import content_id, new_id
from ..records import Secret
from ..rpc import Call, Fault
from ..state import WORKSPACE, State, named

# Whether a secret that is overwritten keeps its id. What Modal does is not known; its own test server gives a new one.
Overwrite = Literal["keeps-id", "new-id"]


class SecretStore:
    def __init__(self, state: State, overwrite: Overwrite):
        self._state = state
        self._overwrite = overwrite

    def _metadata(self, secret: Secret) -> api_pb2.SecretMetadata:
        return api_pb2.SecretMetadata(
            name=secret.name,
            keys=sorted(secret.env),
            environment_name=secret.environment,
            creation_info=api_pb2.CreationInfo(created_at=secret.created_at, created_by=WORKSPACE),
        )

    async def SecretGetOrCreate(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        name, env = request.deployment_name, dict(request.env_dict)
        if name:
            secret = self._get_or_create(name, environment, request.object_creation_type, env)
        else:
            # Secret.from_dict: known by its content, so that a redeploy of the same dict changes nothing.
            items = "\0".join(f"{key}={value}" for key, value in sorted(env.items()))
            id = content_id("st", f"{request.app_id}\0{items}".encode())
            secret = Secret(id, "", environment, env, time.time())
        if missing := [key for key in request.required_keys if key not in secret.env]:
            raise Fault(Status.NOT_FOUND, f"Secret '{name}' is missing key(s): {', '.join(missing)}")
        self._state.secrets[secret.id] = secret
        return api_pb2.SecretGetOrCreateResponse(secret_id=secret.id, metadata=self._metadata(secret))

    def _get_or_create(
        self, name: str, environment: str, creation: api_pb2.ObjectCreationType.ValueType, env: dict[str, str]
    ) -> Secret:
        secret = named(self._state.secrets, name, environment)
        if secret is None:
            if creation == api_pb2.OBJECT_CREATION_TYPE_UNSPECIFIED:
                # The wording of Modal itself, as several public repositories quote it.
                where = f"https://modal.com/secrets/{WORKSPACE}/{environment}/create?secret_name={name}"
                raise Fault(
                    Status.NOT_FOUND,
                    f"Secret '{name}' not found in environment '{environment}'. You can create it here: {where}",
                )
            return Secret(new_id("st"), name, environment, env, time.time())
        if creation == api_pb2.OBJECT_CREATION_TYPE_CREATE_FAIL_IF_EXISTS:
            raise Fault(Status.ALREADY_EXISTS, f"Secret '{name}' already exists in environment '{environment}'")
        if creation == api_pb2.OBJECT_CREATION_TYPE_CREATE_OVERWRITE_IF_EXISTS:
            if self._overwrite == "new-id":
                del self._state.secrets[secret.id]
                return Secret(new_id("st"), name, environment, env, time.time())
            secret.env = env
        return secret

    async def SecretUpdate(self, request: Any, call: Call) -> None:
        secret = self._state.secrets.get(request.secret_id)
        if secret is None:
            raise Fault(Status.NOT_FOUND, f"Secret '{request.secret_id}' not found")
        for update in request.updates:
            if update.HasField("value"):
                secret.env[update.key] = update.value
            else:
                secret.env.pop(update.key, None)

    async def SecretList(self, request: Any, call: Call) -> Any:
        environment = self._state.environment(request.environment_name)
        return api_pb2.SecretListResponse(
            environment_name=environment,
            items=[
                api_pb2.SecretListItem(
                    label=secret.name,
                    created_at=secret.created_at,
                    environment_name=environment,
                    secret_id=secret.id,
                    metadata=self._metadata(secret),
                )
                for secret in self._state.secrets.values()
                if secret.name and secret.environment == environment
            ],
        )

    async def SecretDelete(self, request: Any, call: Call) -> None:
        self._state.secrets.pop(request.secret_id, None)
