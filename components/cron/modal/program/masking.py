"""Keeps the values of secrets out of what is written down."""

import json
from collections.abc import Iterable

# Shorter ones would turn up in everything.
_SHORTEST = 4


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` in place of each secret, also where it is written as JSON, and of each line of a long one."""
    parts = {part for secret in secrets for part in (secret, *secret.splitlines())}
    forms = parts | {json.dumps(part)[1:-1] for part in parts}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= _SHORTEST:
            text = text.replace(form, "***")
    return text
