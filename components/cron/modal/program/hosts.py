"""Removes what mngr 0.3.0 leaves of the hosts of ended runs:

    python hosts.py blank|discard ENVIRONMENT PREFIX APP (RUN HOST_ID)...

blank removes the environment files of agents that were not watched to their end, because the secrets in them would
remain on the host's volume. discard deletes the snapshots of destroyed hosts: mngr keeps them, and they contain the
agent's work. Like sandboxes.py, this is a separate program that uses the user's token.

Agents can write the records that contain a host's id. So the host is only used if mngr's own record, which they can't
write, says that it belongs to the run.
"""

import json
import re
import sys

import modal
from modal.exception import ConflictError, NotFoundError
from modal.experimental import image_delete

# The first line of a file from which the watcher removed the secrets; see remove-secrets.sh.
_BLANKED = b"# without secrets"
_HOST_ID = re.compile(r"host-([0-9a-f]{32})")
# Modal's limit for names; mngr truncates longer ones.
_LONGEST_NAME = 64


def snapshots_of(environment: str, app_name: str, run: str, host_id: str) -> list[str] | None:
    """The images of a host's snapshots. None if mngr has no such host of the run."""
    if _HOST_ID.fullmatch(host_id) is None:
        return None
    state = modal.Volume.from_name(f"{app_name}-state", environment_name=environment)
    try:
        record = json.loads(b"".join(state.read_file(f"hosts/{host_id}.json")))
    except (FileNotFoundError, NotFoundError):
        return None
    data = record["certified_host_data"]
    if data["host_name"] != run:
        return None
    return [str(snapshot["id"]) for snapshot in data.get("snapshots", [])]


def discard(snapshots: list[str]) -> None:
    for image_id in snapshots:
        try:
            image_delete(image_id)
        except (ConflictError, NotFoundError) as error:
            # The error if the image no longer exists.
            if "find" not in str(error) and "not found" not in str(error):
                raise


def blank(environment: str, prefix: str, host_id: str) -> None:
    name = f"{prefix}vol-{host_id.removeprefix('host-')}"[:_LONGEST_NAME]
    volume = modal.Volume.from_name(name, environment_name=environment)
    try:
        agents = [entry.path.strip("/") for entry in volume.iterdir("agents", recursive=False)]
    except (FileNotFoundError, NotFoundError):
        agents = []
    for path in ["env", *(f"{agent}/env" for agent in agents)]:
        try:
            text = b"".join(volume.read_file(path))
        except (FileNotFoundError, NotFoundError):
            continue
        if not text.startswith(_BLANKED):
            volume.remove_file(path)


def main(verb: str, environment: str, prefix: str, app_name: str, *hosts: str) -> None:
    failures = []
    for run, host_id in zip(hosts[::2], hosts[1::2], strict=True):
        try:
            snapshots = snapshots_of(environment, app_name, run, host_id)
            if snapshots is None:
                continue
            if verb == "discard":
                discard(snapshots)
            else:
                blank(environment, prefix, host_id)
        except Exception as error:
            failures.append(f"{run}: {error}")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main(*sys.argv[1:])
