"""Redacts the values of secrets."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

_WITHHELD = "(withheld: secrets could not be redacted from it)"


def masked(text: str, secrets: Iterable[str], program: Path) -> str:
    """Replaces each secret with `***`, in every spelling that the awk program defines."""
    if text == "":
        return text
    values = {f"SECRET_{at}": secret for at, secret in enumerate(secrets)}
    environment = {**values, "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "MASKED": " ".join(values)}
    done = subprocess.run(
        ["awk", "-f", str(program)],
        env=environment,
        input=text.encode("utf-8", "surrogateescape"),
        capture_output=True,
        timeout=60,
    )
    if done.returncode != 0:
        return _WITHHELD
    shown = done.stdout.decode("utf-8", "surrogateescape")
    # awk always ends its last line with a newline.
    return shown if text.endswith("\n") else shown.removesuffix("\n")
