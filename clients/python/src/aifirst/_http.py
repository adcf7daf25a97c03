"""Where and as whom, for both clients. The token gets into one header and nowhere else."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

URL = "http://127.0.0.1:7400"
VERSION = "0.1.0"


class Credentials:
    """Kept apart so that no `repr`, log or traceback with locals shows the token."""

    __slots__ = ("_token", "url")

    def __init__(self, url: str | None, token: str | None) -> None:
        url = (url if url is not None else os.environ.get("AIFIRST_URL") or URL).rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("url is an address such as http://127.0.0.1:7400")
        if parts.username is not None or parts.password is not None:
            raise ValueError("url holds no user or password: give the token as `token`")
        token = token if token is not None else os.environ.get("AIFIRST_TOKEN")
        if not token:
            raise ValueError("a token is needed: `token`, or AIFIRST_TOKEN in the environment")
        # Why no word of what it is: it would stand in a traceback.
        if not all("!" <= character <= "~" for character in token):
            raise ValueError("the token holds a space, a line break or what is not ASCII: read without the end of its line?")
        self.url = url
        self._token = token

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}", "user-agent": f"aifirst-python/{VERSION}", "accept": "application/json"}

    def __repr__(self) -> str:
        return f"<credentials for {self.url}>"

    def __reduce__(self) -> str:
        raise TypeError("a client can't be pickled: its token would lie in the pickle")
