"""mngr as it runs in the function's container: in the person's name, with an environment and a profile of its own."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Whatever mngr, ssh and git may need of the container's environment. The secrets are not among it.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PROFILE = "changelings"


@dataclass(frozen=True)
class Identity:
    """Whose agents they are: the person's mngr user and Modal token."""

    user_id: str
    prefix: str
    token_id: str
    token_secret: str


def server_url(environment: Mapping[str, str]) -> str | None:
    """The server that the person's token is good for; None for Modal's own.

    Real workers may give a container a socket of its own, on which it is known as this container: what comes in with
    a token has to knock at the front door. (That they do is known from the client's source alone.)
    """
    url = environment.get("MODAL_SERVER_URL", "")
    return url if url.startswith(("http://", "https://")) else None


def mngr_environment(identity: Identity, home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a mngr process.

    A client that finds MODAL_IS_REMOTE ignores its token and acts as the container; so that is left out.
    """
    passed_on = {name: environment[name] for name in _PASSED_ON if name in environment}
    url = server_url(environment)
    if url is not None:
        passed_on["MODAL_SERVER_URL"] = url
    if "MODAL_DISABLE_API_PROXY" in environment:
        passed_on["MODAL_DISABLE_API_PROXY"] = environment["MODAL_DISABLE_API_PROXY"]
    return {
        **passed_on,
        "HOME": str(home),
        "MODAL_TOKEN_ID": identity.token_id,
        "MODAL_TOKEN_SECRET": identity.token_secret,
        "MNGR_HOST_DIR": str(home / "mngr"),
        "MNGR_USER_ID": identity.user_id,
        "MNGR_PREFIX": identity.prefix,
        # Whatever lies in the work dir is none of this mngr's settings.
        "MNGR_PROJECT_CONFIG_DIR": str(home / "project"),
        "MNGR_HEADLESS": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def mngr_app_name(prefix: str) -> str:
    """The app that mngr's sandboxes belong to, cut as mngr cuts it."""
    return f"{prefix}modal"[:58].rstrip("-_")


def write_profile(home: Path, user_id: str, settings: str) -> None:
    """Lays out mngr's host dir before mngr starts, so that it has nothing to make up.

    settings is the text of the profile's settings.toml.
    """
    profile = home / "mngr" / "profiles" / _PROFILE
    (home / "project").mkdir(parents=True, exist_ok=True)
    profile.mkdir(parents=True, exist_ok=True)
    write_private(home / "mngr" / "config.toml", f'profile = "{_PROFILE}"\n')
    write_private(profile / "user_id", user_id)
    write_private(profile / "settings.toml", settings)


def write_private(path: Path, text: str) -> None:
    """Writes a file that nobody else can read, not even while it is written."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "surrogatepass"))


class Process:
    """A program that was started; its output goes to files, so that it is never held up by a full pipe."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, output: Path):
        self._stdout, self._stderr = Path(f"{output}.jsonl"), Path(f"{output}.log")
        with open(self._stdout, "wb") as stdout, open(self._stderr, "wb") as stderr:
            self._child = subprocess.Popen(
                command, env=dict(environment), cwd=cwd, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            )  # fmt: skip

    def wait(self, seconds: float) -> int | None:
        """The exit status; None when it took longer, and was ended with all its children."""
        try:
            return self._child.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
            return None

    @property
    def stdout(self) -> str:
        return self._stdout.read_text(encoding="utf-8", errors="replace")

    @property
    def stderr(self) -> str:
        return self._stderr.read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Created:
    """What a `mngr create` came to."""

    agent_id: str | None = None
    host_id: str | None = None
    # Set when there is no agent.
    error: str | None = None


# The line by which our own prepare script says what went wrong, as mngr tells of it.
_OUR_LINE = re.compile(r"^(?:stderr: )?changelings: (.+)$", re.MULTILINE)
_GIT_LINE = re.compile(r"^(?:stderr: )?(fatal: .+)$", re.MULTILINE)
_LONGEST_LINE = 500


def created_from(stdout: str, stderr: str) -> Created:
    """Reads what `mngr create --format jsonl` printed."""
    for line in reversed(stdout.splitlines()):
        event = json_object(line)
        if event.get("event") == "created" and isinstance(event.get("agent_id"), str):
            return Created(event["agent_id"], str(event.get("host_id")))
        if event.get("event") == "error" and isinstance(event.get("message"), str):
            return Created(error=error_line(event["message"]))
    return Created(error=error_line(_last_word(stderr)))


def has_no_running_host(stdout: str, host_id: str) -> bool:
    """Reads what `mngr list --format json` printed. False as well when mngr could not look.

    Of a running host that another container made, mngr has no key here: it is among the errors.
    """
    listed = json_object(stdout)
    agents, errors = listed.get("agents"), listed.get("errors")
    if not isinstance(agents, list) or not isinstance(errors, list):
        return False
    if any(error.get("is_provider_inaccessible") or error.get("host_id") == host_id for error in errors):
        return False
    hosts = [agent["host"] for agent in agents]
    return not any(host["id"] == host_id and host["state"] == "RUNNING" for host in hosts)


def error_line(message: str) -> str:
    """The line of an error that says what went wrong: that of our prepare script, else git's, else the first."""
    ours = _OUR_LINE.search(message) or _GIT_LINE.search(message)
    line = ours[1] if ours is not None else message.strip().partition("\n")[0] or "it printed nothing"
    return line.removeprefix("Error: ")[:_LONGEST_LINE]


def _last_word(stderr: str) -> str:
    """What an output ends with: from the line that is marked as an error on, else the last line that says anything."""
    marked = re.search(r"^Error: ", stderr, re.MULTILINE)
    return stderr[marked.start() :] if marked is not None else stderr.strip().rpartition("\n")[2]


def json_object(text: str) -> dict[str, object]:
    """The JSON object that a text is; an empty one for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
