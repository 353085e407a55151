"""The text of an `--env-file` for mngr 0.3.0. components/mngr/env-file.ts does the same for local agents."""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# mngr quotes a value that contains one of these.
_QUOTED_BY_MNGR = re.compile(r"[ \"'\n]")
_PLAIN = re.compile("[^A-Za-z0-9_\\-./:=+,@%^\u0080-\U0010ffff]")
# An empty expansion in dotenv: it breaks up a `${`, and separates a final backslash from the closing quote.
_NOTHING = "${:-}"


def env_file_text(variables: Mapping[str, str]) -> str:
    """The file's text, such that the agent's variables have exactly these values.

    A value passes three parsers: python-dotenv reads our file (and expands `${…}`, in any quotes); mngr writes the
    result into the agent's own file, in double quotes with only `"` escaped, and only if it contains a space, a quote
    or a newline; a POSIX shell sources that file. So a value is escaped for the shell first, then for dotenv.

    Raises ValueError if a name is not a valid variable name, or a value contains a NUL, which no environment can.
    """
    lines = []
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f'"{name}" is not a name for an environment variable')
        if "\0" in value:
            raise ValueError(f"the value of {name} contains a NUL, which an environment can't")
        lines.append(f'{name}="{_escape_for_dotenv(_escape_for_shell(value))}"\n')
    return "".join(lines)


def _escape_for_shell(value: str) -> str:
    if _QUOTED_BY_MNGR.search(value):
        return re.sub(r"[\\$`]", r"\\\g<0>", value)
    return _PLAIN.sub(r"\\\g<0>", value)


def _escape_for_dotenv(value: str) -> str:
    escaped = re.sub(r'[\\"]', r"\\\g<0>", value).replace("\n", "\\n").replace("\r", "\\r")
    escaped = escaped.replace("${", "$" + _NOTHING + "{")
    return escaped + _NOTHING if escaped.endswith("\\") else escaped
