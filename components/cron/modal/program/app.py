"""The Modal app of one cron changeling: a scheduled function that starts an agent in a sandbox, and is done.

Runs in two places: on the machine that deploys it (`modal deploy app.py`), where it says what is to stand on Modal, and
in the function's container. To deploy it takes from the environment:
  CHANGELING_SPEC          path of the changeling's spec.json
  CHANGELING_REQUIREMENTS  path of the requirements.txt, with hashes, that mngr is installed from
  CHANGELING_TARBALL       path of the repository's tarball, for image = "pinned" alone
"""

import os
import sys
from pathlib import Path

import modal

# What a container finds where.
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

# The stack's home makes both, before any app of it is deployed.
home = modal.Volume.from_name(spec.home_volume, environment_name=spec.environment)
runs = modal.Volume.from_name(spec.runs_volume, environment_name=spec.environment)


def _image() -> modal.Image:
    """The same layers for every changeling, so that they are built once; what differs is mounted."""
    image = (
        modal.Image.debian_slim(python_version="3.12")
        .apt_install("git", "openssh-client", "rsync", "jq", "curl", "ca-certificates", "tzdata")
        .pip_install_from_requirements(os.environ["CHANGELING_REQUIREMENTS"])
        .add_local_dir(_HERE, str(_FOLDER / "program"), ignore=lambda path: path.suffix not in (".py", ".sh"))
        .add_local_file(_SPEC_FILE, str(_FOLDER / "spec.json"))
        # Local runs use the same wrapper of command agents, and the same look at what a run did.
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
    # Overlaps are told by the records, and this makes one who reads and writes them.
    max_containers=1,
    timeout=900,
    # Modal takes other machines away at any time, and delivers the call again.
    nonpreemptible=True,
)
def fire(cause: str = "schedule", request: str = "", mode: str = "run") -> dict[str, object]:
    """Fires a run; see fire.py for what it returns. `mode` is what earlier versions told a check by."""
    from fire import fire as fire_run
    from place import Place, RunError

    home.reload()
    place = Place(
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
        result = fire_run(spec, place, cause, request, call=modal.current_function_call_id() or "")
    except RunError as error:
        # Whoever called has no module `place` to know the other by.
        raise RuntimeError(str(error)) from None
    print(f"{result['run']}: {result['outcome']}" + (f" ({result['reason']})" if result["reason"] else ""))
    return result


@app.function(**_CONTAINER, timeout=300)
def check() -> dict[str, object]:
    """Whether a run would find what it needs; see check.py. It does not wait for a fire that is under way."""
    from check import check as check_container

    return check_container(spec, _HOME, _RUNS, os.environ)
