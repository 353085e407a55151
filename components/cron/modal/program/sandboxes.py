"""Ends what a `mngr create` that failed has left of a host: `python sandboxes.py ENVIRONMENT APP RUN`.

mngr leaves the sandbox running when it could not be reached by ssh, and `mngr destroy` wants to reach it first. This is
a program of its own because it acts by the person's token, as mngr does: in the function's process the modal client is
the container's.
"""

import os
import sys

# The kind of sandbox that mngr makes; the two are listed apart.
os.environ["MODAL_SANDBOX_V2"] = "1"

import modal  # noqa: E402

# What mngr 0.3.0 tags a sandbox with: the name of its host.
_TAG = "mngr_host_name"


def end_sandboxes(environment: str, app_name: str, run: str) -> int:
    """Returns how many there were."""
    app = modal.App.lookup(app_name, environment_name=environment)
    found = [sandbox for sandbox in modal.Sandbox.list(app_id=app.app_id) if sandbox.get_tags().get(_TAG) == run]
    for sandbox in found:
        sandbox.terminate()
    return len(found)


if __name__ == "__main__":
    environment, app_name, run = sys.argv[1:]
    print(end_sandboxes(environment, app_name, run))
