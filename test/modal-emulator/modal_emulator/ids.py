"""Ids and tokens in the shapes that the client recognises."""

import base64
import hashlib
import json
import secrets
import string
import time

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 22  # `modal app stop ap-...` knows an id by exactly so many characters


def new_id(prefix: str, length: int = _LENGTH) -> str:
    return f"{prefix}-" + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def content_id(prefix: str, data: bytes) -> str:
    """An id derived from content, so that the same content always gets the same id."""
    number = int.from_bytes(hashlib.sha256(data).digest(), "big")
    text = ""
    while len(text) < _LENGTH:
        number, digit = divmod(number, len(_ALPHABET))
        text += _ALPHABET[digit]
    return f"{prefix}-{text}"


def fake_jwt(**claims: str) -> str:
    """The client reads `exp` alone, and never verifies a signature."""

    def encode(part: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    return f"{encode({'alg': 'none', 'typ': 'JWT'})}.{encode({'exp': int(time.time()) + 86400, **claims})}.x"
