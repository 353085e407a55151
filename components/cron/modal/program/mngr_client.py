"""mngr in the function's container: with the user's identity, and with a separate environment and profile."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The variables of the container that mngr, ssh and git may need. None of them is a secret.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PROFILE = "changelings"


@dataclass(frozen=True)
class Identity:
    """The owner of the agents: the user's mngr user id and Modal token."""

    user_id: str
    prefix: str
    token_id: str
    token_secret: str


def server_url(environment: Mapping[str, str]) -> str | None:
    """The server that accepts the user's token; None for Modal's own.

    Real workers may give a container a socket on which it is identified as this container. Requests with a token must
    use the public address instead. (This is known only from the client's source.)
    """
    url = environment.get("MODAL_SERVER_URL", "")
    return url if url.startswith(("http://", "https://")) else None


def mngr_environment(identity: Identity, home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a mngr process.

    Omits MODAL_IS_REMOTE: with it, Modal's client ignores its token and acts as the container.
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
        # Don't read settings from the work dir.
        "MNGR_PROJECT_CONFIG_DIR": str(home / "project"),
        "MNGR_HEADLESS": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def mngr_app_name(prefix: str) -> str:
    """The app that contains mngr's sandboxes, truncated as mngr does it."""
    return f"{prefix}modal"[:58].rstrip("-_")


def write_profile(home: Path, user_id: str, settings: str) -> None:
    """Writes mngr's host dir before mngr starts, so that mngr does not invent an identity.

    settings is the text of the profile's settings.toml.
    """
    profile = home / "mngr" / "profiles" / _PROFILE
    (home / "project").mkdir(parents=True, exist_ok=True)
    profile.mkdir(parents=True, exist_ok=True)
    write_private(home / "mngr" / "config.toml", f'profile = "{_PROFILE}"\n')
    write_private(profile / "user_id", user_id)
    write_private(profile / "settings.toml", settings)


def write_private(path: Path, text: str) -> None:
    """Writes a file that no other user can read, not even while it is being written."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "surrogatepass"))


class Process:
    """A running program. Its output goes to files, so that a full pipe never blocks it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, output: Path):
        self._stdout, self._stderr = Path(f"{output}.jsonl"), Path(f"{output}.log")
        with open(self._stdout, "wb") as stdout, open(self._stderr, "wb") as stderr:
            self._child = subprocess.Popen(
                command, env=dict(environment), cwd=cwd, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            )  # fmt: skip

    def wait(self, seconds: float) -> int | None:
        """The exit status; None if it took longer and was killed with all its children."""
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
    """The result of `mngr create`."""

    agent_id: str | None = None
    host_id: str | None = None
    # Set if there is no agent.
    error: str | None = None


# The error of our own prepare script, as mngr repeats it.
_OUR_LINE = re.compile(r"^(?:stderr: )?changelings: (.+)$", re.MULTILINE)
_GIT_LINE = re.compile(r"^(?:stderr: )?(fatal: .+)$", re.MULTILINE)
_LONGEST_LINE = 500


def created_from(stdout: str, stderr: str) -> Created:
    """Parses the output of `mngr create --format jsonl`."""
    for line in reversed(stdout.splitlines()):
        event = json_object(line)
        if event.get("event") == "created" and isinstance(event.get("agent_id"), str):
            return Created(event["agent_id"], str(event.get("host_id")))
        if event.get("event") == "error" and isinstance(event.get("message"), str):
            return Created(error=error_line(event["message"]))
    return Created(error=error_line(_last_error(stderr)))


def has_no_running_host(stdout: str, host_id: str) -> bool:
    """Parses the output of `mngr list --format json`. False also if mngr could not list all hosts.

    mngr has no key here for a running host that another container created, so it reports that host as an error.
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
    """The line with the reason in an error: that of our prepare script, else git's, else the first."""
    ours = _OUR_LINE.search(message) or _GIT_LINE.search(message)
    line = ours[1] if ours is not None else message.strip().partition("\n")[0] or "it printed nothing"
    return line.removeprefix("Error: ")[:_LONGEST_LINE]


def _last_error(stderr: str) -> str:
    """The end of an output: everything from the first line that begins with `Error: `, else the last line."""
    marked = re.search(r"^Error: ", stderr, re.MULTILINE)
    return stderr[marked.start() :] if marked is not None else stderr.strip().rpartition("\n")[2]


def json_object(text: str) -> dict[str, object]:
    """Parses a JSON object; returns an empty one for any other text."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
