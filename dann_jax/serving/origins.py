"""Which requests a server on this machine answers, and how browsers must treat it.

Any page that a browser shows may send requests to a server on the same machine. It is
told by its `Origin`; a page of a domain that suddenly leads to this machine (DNS
rebinding), by the name in `Host`.
"""

import base64
import hashlib
import ipaddress
import re
from collections.abc import Collection, Mapping


def refusal(headers: Mapping[str, str], names: Collection[str]) -> str:
    """Why a request is not answered, in a sentence; empty where it is.

    Args:
      headers: of the request, names in lower case.
      names: under which the server may be asked for, besides any number of an address.

    Example:
      >>> refusal({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, ())
      ''
      >>> refusal({"host": "127.0.0.1:8000", "origin": "http://evil.org"}, ())
      'the page http://evil.org may not use this server; open its own page'
    """
    host = headers.get("host", "").lower()
    name = re.sub(r":\d*$", "", host)
    if name not in names and not _is_address(name):
        return (
            f"this server is not called {name or 'nothing'!r}; use the address that it "
            f"printed when it started, or name it by --host"
        )
    origin = headers.get("origin")
    if origin is not None and origin.lower().partition("://")[2] != host:
        return f"the page {origin} may not use this server; open its own page"
    return ""


def security_headers(page: str) -> dict[str, str]:
    """Header -> value, by which a browser runs nothing but what is in this page.

    Args:
      page: HTML with its style and its script between tags without attributes.
    """
    allowed = {
        kind: " ".join(map(_hash, re.findall(f"<{kind}>(.*?)</{kind}>", page, re.S)))
        for kind in ("style", "script")
    }
    policy = {
        "default-src": "'none'",
        "script-src": allowed["script"],
        "style-src": allowed["style"],
        "connect-src": "'self'",
        "media-src": "blob:",
        "img-src": "data:",
        **dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'"),
    }
    return {
        "Content-Security-Policy": "; ".join(map(" ".join, policy.items())),
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
