"""Ends the sandbox that a failed `mngr create` left: `python sandboxes.py ENVIRONMENT APP RUN`.

If mngr can't reach the sandbox by ssh, it leaves it running, and `mngr destroy` has to reach it first. This is a
separate program, because it uses the user's token, as mngr does. In the function's process, the modal client acts as the
container.
"""

import os
import sys

# mngr creates sandboxes of the second version, which have a separate list.
os.environ["MODAL_SANDBOX_V2"] = "1"

import modal  # noqa: E402

# mngr 0.3.0 tags a sandbox with the name of its host.
_TAG = "mngr_host_name"


def end_sandboxes(environment: str, app_name: str, run: str) -> int:
    """Returns the number of ended sandboxes."""
    app = modal.App.lookup(app_name, environment_name=environment)
    found = [sandbox for sandbox in modal.Sandbox.list(app_id=app.app_id) if sandbox.get_tags().get(_TAG) == run]
    for sandbox in found:
        sandbox.terminate()
    return len(found)


if __name__ == "__main__":
    environment, app_name, run = sys.argv[1:]
    print(end_sandboxes(environment, app_name, run))
