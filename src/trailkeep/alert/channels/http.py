"""Requests in, answers out, for every channel that speaks HTTP: timeouts, checked TLS, no redirects, small answers.

No address is ever part of an error, for many hold a secret: errors name the host.
"""

import base64
import json
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from trailkeep.alert.message import clean
from trailkeep.core.errors import Later, Refused

_MOST = 256 << 10  # bytes of an answer that are read
_PASSING = {408, 409, 423, 425, 429}


class Http:
    """One pool of connections for all channels. `timeout`: seconds to connect, and between two bytes of an answer."""

    def __init__(self, timeout: float = 10, total: float = 30) -> None:
        """`total`: seconds that an answer may take."""
        self._total = total
        options: dict[str, Any] = {
            "num_pools": 32,
            "maxsize": 2,
            "timeout": urllib3.Timeout(connect=timeout, read=timeout),
            "retries": False,
            "ssl_context": ssl.create_default_context(),
        }
        self._direct = urllib3.PoolManager(**options)
        self._proxies = {
            scheme: urllib3.ProxyManager(address, **options)
            for scheme, address in getproxies().items()
            if scheme in ("http", "https") and address.startswith("http")
        }

    def post(self, url: str, body: Any, headers: Mapping[str, str] | None = None, method: str = "POST") -> Any:
        """The JSON of the answer, or its text. `body` is sent as JSON unless it is bytes; None sends none.

        Raises Later (with Retry-After where the answer has one) or Refused.
        """
        parts = urlsplit(url)
        host = parts.hostname or "?"
        _check(parts.scheme, host)
        sent = {"User-Agent": "trailkeep", "Accept": "application/json"}
        if body is not None:
            sent["Content-Type"] = "application/json"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        try:
            answer = self._pool_to(parts.scheme, host).request(
                method, url, body=data, headers=sent | dict(headers or {}), redirect=False, preload_content=False
            )
            content = self._read(answer, host)
        except (HTTPError, OSError) as error:
            raise Later(f"{host}: {_why(error, url)}") from error
        return _outcome(answer.status, answer.headers, content, host)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON of the answer, likewise."""
        return self.post(url, None, headers, "GET")

    def _pool_to(self, scheme: str, host: str) -> urllib3.PoolManager:
        """Connections to `host`, through the proxy that HTTPS_PROXY names unless NO_PROXY names the host."""
        if scheme not in self._proxies or proxy_bypass(host):
            return self._direct
        return self._proxies[scheme]

    def _read(self, answer: Any, host: str) -> bytes:
        """The content, if it is small and comes in time; the connection is of no use afterwards otherwise."""
        until, parts, size = time.monotonic() + self._total, [], 0
        try:
            while part := answer.read1(16 << 10):
                parts.append(part)
                size += len(part)
                if size > _MOST:
                    break  # the status says what became of the request; nobody reads so much
                if time.monotonic() > until:
                    raise Later(f"{host}: the answer takes longer than {self._total:.0f} s")
            else:
                answer.release_conn()
                return b"".join(parts)
        except BaseException:
            answer.close()
            raise
        answer.close()
        return b"".join(parts)


def basic(user: str, password: str) -> dict[str, str]:
    """The header of HTTP's basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _check(scheme: str, host: str) -> None:
    """Raises Refused for an address that would send alerts in the clear."""
    if scheme == "https":
        return
    try:
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    if scheme != "http" or not local:
        raise Refused(f"{host}: the address must begin with https://; http:// is for this machine only")


def _why(error: Exception, url: str) -> str:
    """An error without the address."""
    text = str(error)
    parts = urlsplit(url)
    for secret in filter(None, (url, parts.path.strip("/"), parts.query, parts.password)):
        text = text.replace(secret, "…")
    return f"{type(error).__name__}: {text}"[:300]


def _outcome(status: int, headers: Mapping[str, str], content: bytes, host: str) -> Any:
    if 200 <= status < 300:
        try:
            return json.loads(content)
        except ValueError:
            return content.decode(errors="replace")
    said = clean(content[:300].decode(errors="replace"))
    reason = f"{host} answers {status}" + (f": {said}" if said else "")
    if 300 <= status < 400:
        raise Refused(f"{host} answers {status}: it redirects elsewhere, which is not followed; name the last address")
    if status in _PASSING or status >= 500:
        raise Later(reason, _retry_after(headers.get("Retry-After")))
    raise Refused(reason)


def _retry_after(value: str | None) -> float | None:
    """Seconds that the header asks to wait; None where it says nothing that can be understood."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
