"""Every argument list for mngr 0.3.0 on Modal.

The counterpart of components/mngr/arguments.ts. mngr's command line changes often, so no other file builds one. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MNGR_VERSION = "0.3.0"

# The text of components/mngr/approve-key.ts, which says why: Claude Code accepts ANTHROPIC_API_KEY without a question.
APPROVE_KEY = (
    'config="$CLAUDE_CONFIG_DIR/.claude.json"; case $config in "$MNGR_AGENT_STATE_DIR"/*) '
    'if [ -n "$ANTHROPIC_API_KEY" ] && [ -f "$config" ]; then (umask 077; jq '
    "'.customApiKeyResponses |= {approved: (.approved + [env.ANTHROPIC_API_KEY[-20:]]), rejected: []}' "
    '"$config" >"$config.new") && mv -f "$config.new" "$config" || exit 1; fi;; esac'
)


def host_address(run: str) -> str:
    """mngr's address of a run's host. A run's agent and its host both have the run's id as their name."""
    return f"@{run}.modal"


@dataclass(frozen=True)
class CreateOptions:
    """The options of one `mngr create`: an agent in a new sandbox, in a work dir that a prepare command fills."""

    run: str
    # An agent type that mngr knows.
    type: str
    labels: Mapping[str, str]
    # The work dir: a git repository here, and the path of the real one in the sandbox.
    work_dir: str
    # Path of a dotenv file; see env_file.py.
    env_file: str
    # The same, for everything else that runs in the sandbox.
    host_env_file: str | None
    sandbox_timeout_seconds: int
    # (name on Modal, path in the sandbox)
    volume: tuple[str, str]
    # Shell commands that fill the work dir. They run in the new sandbox, one after the other.
    prepare: Sequence[str]
    snapshot: str | None
    # Shell commands that run in the work dir, with the agent's environment, before the agent starts.
    provision: Sequence[str]
    template: str | None
    # Path of a file with the first message.
    message_file: str | None
    # mngr's settings for this call only, for instance `agent_types.claude.cli_args=["--verbose"]`.
    settings: Sequence[str]
    build_args: Sequence[str]
    # For type `command` the command itself, one word per element; for other types their additional arguments.
    agent_args: Sequence[str]


def create_arguments(options: CreateOptions) -> list[str]:
    """Prints JSON lines: progress, then `created` or `error`. Returns once the agent is running."""
    volume_name, volume_path = options.volume
    # The last one applies, so a declared build argument can't change the timeout.
    build_args = [
        *options.build_args,
        f"timeout={options.sandbox_timeout_seconds}",
        f"volume={volume_name}:{volume_path}",
    ]
    return [
        *["create", f"{options.run}{host_address(options.run)}", "--new-host", "--type", options.type],
        *["--no-connect", "--headless", "--yes", "--format", "jsonl"],
        *_each("--label", _pairs(options.labels)),
        *_each("--host-label", _pairs(options.labels)),
        *["--transfer", "none", "--from", f":{options.work_dir}"],
        *["--env-file", options.env_file],
        *_each("--host-env-file", [options.host_env_file]),
        *["--idle-mode", "disabled"],
        *_each("--post-host-create-command", options.prepare),
        *_each("--snapshot", [options.snapshot]),
        *_each("--extra-provision-command", options.provision),
        *_each("--template", [options.template]),
        *_each("--message-file", [options.message_file]),
        *_each("--setting", options.settings),
        *_each("--build-arg", build_args),
        *(["--", *options.agent_args] if options.agent_args else []),
    ]


def destroy_arguments(run: str) -> list[str]:
    """Removes a run's host, with its agent, records and volume. Succeeds if it is already gone."""
    return ["destroy", host_address(run), "--force", "--no-gc", "--format", "json", "--headless"]


def list_arguments() -> list[str]:
    """Prints one JSON object with all agents on Modal."""
    return ["list", "--provider", "modal", "--format", "json", "--headless"]


def _pairs(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in labels.items()]


def _each(option: str, values: Sequence[str | None]) -> list[str]:
    return [word for value in values if value is not None for word in (option, value)]
