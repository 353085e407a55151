"""The Modal app of one cron changeling: a scheduled function that starts an agent in a sandbox and returns.

This file runs on the machine that deploys the app (`modal deploy app.py`), where it declares the app, and in the
function's container. Deploying it needs these variables:
  CHANGELING_SPEC          path of the changeling's spec.json
  CHANGELING_REQUIREMENTS  path of the requirements.txt, with hashes, that mngr is installed from
  CHANGELING_TARBALL       path of the repository's tarball; only for image = "pinned"
"""

import os
import sys
from pathlib import Path

import modal

# Paths in the container.
_FOLDER = Path("/changeling")
_HOME = Path("/changelings-home")
_RUNS = Path("/changelings-runs")
_HERE = Path(__file__).parent if modal.is_local() else _FOLDER / "program"

sys.path.insert(0, str(_HERE))
if modal.is_local():
    sys.dont_write_bytecode = True

from app_spec import read_spec  # noqa: E402

_SPEC_FILE = Path(os.environ["CHANGELING_SPEC"]) if modal.is_local() else _FOLDER / "spec.json"
spec = read_spec(_SPEC_FILE)

# The Command of the stack's home creates both before any app is deployed.
home = modal.Volume.from_name(spec.home_volume, environment_name=spec.environment)
runs = modal.Volume.from_name(spec.runs_volume, environment_name=spec.environment)


def _image() -> modal.Image:
    """All changelings share the layers, so Modal builds them once. Files that differ are mounted."""
    image = (
        modal.Image.debian_slim(python_version="3.12")
        .apt_install("git", "openssh-client", "rsync", "jq", "curl", "ca-certificates", "tzdata")
        .pip_install_from_requirements(os.environ["CHANGELING_REQUIREMENTS"])
        .add_local_dir(_HERE, str(_FOLDER / "program"), ignore=lambda path: path.suffix not in (".py", ".sh"))
        .add_local_file(_SPEC_FILE, str(_FOLDER / "spec.json"))
        # Local runs use the same three scripts.
        .add_local_file(_HERE.parent.parent / "local/runs/run-command.sh", str(_FOLDER / "run-command.sh"))
        .add_local_file(_HERE.parent.parent / "local/runs/git-work.sh", str(_FOLDER / "git-work.sh"))
        .add_local_file(_HERE.parents[2] / "lib/mask.awk", str(_FOLDER / "mask.awk"))
    )
    if spec.image == "pinned":
        image = image.add_local_file(os.environ["CHANGELING_TARBALL"], str(_FOLDER / "repo.tar.gz"))
    return image


app = modal.App(spec.app_name)
secrets = [modal.Secret.from_name(spec.stack_secret_name, environment_name=spec.environment)]
if spec.secrets:
    secrets.append(modal.Secret.from_name(spec.secret_name, environment_name=spec.environment))

_CONTAINER = {
    "image": _image() if modal.is_local() else modal.Image.debian_slim(),
    "secrets": secrets,
    "volumes": {str(_HOME): home, str(_RUNS): runs},
    "cpu": 1.0,
}


@app.function(
    **_CONTAINER,
    schedule=modal.Cron(spec.schedule, timezone=spec.timezone) if spec.enabled else None,
    # The records prevent overlapping runs, so only one call at a time may read and write them.
    max_containers=1,
    timeout=900,
    # Modal may preempt other machines at any time, and then repeats the call.
    nonpreemptible=True,
)
def fire(cause: str = "schedule", request: str = "", mode: str = "run") -> dict[str, object]:
    """Fires a run; see fire.py for the result. `mode` is unused: earlier versions used it for checks."""
    from fire import fire as fire_run
    from container import Container, RunError

    home.reload()
    container = Container(
        home=_HOME,
        runs=_RUNS,
        program=_FOLDER / "program",
        run_command=_FOLDER / "run-command.sh",
        git_work=_FOLDER / "git-work.sh",
        mask=_FOLDER / "mask.awk",
        tarball=_FOLDER / "repo.tar.gz",
        work_dir=Path("/code/project"),
        environment=os.environ,
        reload=runs.reload,
        commit=runs.commit,
    )
    try:
        result = fire_run(spec, container, cause, request, call=modal.current_function_call_id() or "")
    except RunError as error:
        # The caller has no module `container`, so it can't unpickle RunError.
        raise RuntimeError(str(error)) from None
    print(f"{result['run']}: {result['outcome']}" + (f" ({result['reason']})" if result["reason"] else ""))
    return result


@app.function(**_CONTAINER, timeout=300)
def check() -> dict[str, object]:
    """Checks that a run would find what it needs; see check.py. Doesn't wait for a fire in progress."""
    from check import check as check_container

    return check_container(spec, _HOME, _RUNS, os.environ)
