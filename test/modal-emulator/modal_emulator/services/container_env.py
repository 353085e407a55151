"""What Modal's worker sets in a container, pointed at this server."""

from ..containers.namespaces import BASE_ENV
from ..records import Image
from ..state import State


def container_env(state: State, task_id: str, image: Image, environment: str) -> dict[str, str]:
    return {
        **BASE_ENV,
        "PYTHONPATH": "/root:/pkg",
        **image.env,
        "MODAL_SERVER_URL": state.server_url,
        "MODAL_IS_REMOTE": "1",
        "MODAL_TASK_ID": task_id,
        "MODAL_IMAGE_ID": image.id,
        "MODAL_ENVIRONMENT": environment,
        "MODAL_CLOUD_PROVIDER": "CLOUD_PROVIDER_LOCAL",
        "MODAL_REGION": "loopback",
        "MODAL_OVERRIDE_HEADERS": f"x-emulator-task-id:{task_id}",
    }
