"""Why no answer came, in one sentence: the cause, the host or the proxy, and the setting to look at.

The texts of requests and urllib3 are not used: they nest, and may hold the proxy's address with its credentials.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import requests.exceptions
from requests.utils import get_environ_proxies, select_proxy

from salesforce_bulk_client.errors import ConfigError

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables from which requests takes the file of trusted certificates, the first that is set."""

_HOST_SETTINGS = "check domain, or the login_url or instance_url that is given"


def check_surroundings(error: Exception, *, url: str) -> None:
    """Refuse what an environment variable makes impossible: asking again would change nothing.

    Raises: ConfigError.
    """
    variable, path = _bundle()
    if path and url.startswith("https:") and not os.path.exists(path):  # noqa: PTH110  # may be no path at all
        raise ConfigError(
            f"{variable} is {path!r}, but there is no such file: no TLS certificate can be checked"
        ) from None
    if isinstance(error, requests.exceptions.RequestException) and isinstance(error, ValueError):  # no usable address
        raise ConfigError(
            f"{_proxy_variable(url)} does not hold the address of a proxy that can be used: it is like"
            " http://proxy.example:8080 (for SOCKS install PySocks)"
        ) from None
    if any("Tunnel connection failed: 407" in str(cause) for cause in _causes(error)):  # http.client has no code for it
        raise ConfigError(proxy_wants_credentials(url)) from None


def proxy_wants_credentials(url: str) -> str:
    """Return the message for a 407, which only proxies answer."""
    return (
        f"the proxy {_proxy(url)} wants credentials (407 Proxy Authentication Required): put them into"
        f" {_proxy_variable(url)}, as in http://user:password@proxy.example:8080"
    )


def why_no_answer(error: Exception, *, request: str, url: str, timeout_s: float) -> str:
    """Return the sentence."""
    proxy = _proxy(url)
    through = f" through the proxy {proxy} ({_proxy_variable(url)})" if proxy else ""
    reason = _reason(error, is_proxied=bool(proxy), timeout_s=timeout_s)
    return f"{request}: no whole answer from {urlsplit(url).netloc}{through} ({reason})"


def _reason(error: Exception, *, is_proxied: bool, timeout_s: float) -> str:
    for cause in reversed([*_causes(error)]):  # what came first is the last of them
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {getattr(cause, 'verify_message', None) or cause.reason or 'failed'}{_trusted(cause)}"
        if isinstance(cause, OSError) and str(cause).startswith("Tunnel connection failed"):
            return str(cause)
        if isinstance(cause, OSError) and cause.strerror:
            is_address = isinstance(cause, (socket.gaierror, ConnectionRefusedError))
            return f"{cause.strerror}: {_HOST_SETTINGS}" if is_address and not is_proxied else cause.strerror
    if isinstance(error, requests.exceptions.ReadTimeout):
        return f"timed out after {timeout_s:g} s: request_timeout_s"
    return "timed out" if isinstance(error, requests.exceptions.Timeout) else "the answer was cut"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what it wraps; never its context, which may be the error of an earlier request."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or next((each for each in cause.args if isinstance(each, BaseException)), None)


def _bundle() -> tuple[str, str]:
    return next(((name, path) for name in BUNDLES if (path := os.environ.get(name))), (BUNDLES[0], ""))


def _trusted(error: ssl.SSLError) -> str:
    variable, path = _bundle()
    if not isinstance(error, ssl.SSLCertVerificationError) and error.library != "X509":  # not about certificates
        return ""
    return (
        f"; trusted are those in {path}: {variable}"
        if path
        else f"; {variable} can name a file with your network's own"
    )


def _proxy(url: str) -> str:
    """Return host and port of the proxy for a URL, without credentials; empty for none.

    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, {"https_proxy": "http://user:sesame@proxy.example:8080", "no_proxy": ""}):
    ...     _proxy("https://acme.my.salesforce.com/services")
    'proxy.example:8080'
    """
    proxy = select_proxy(url, get_environ_proxies(url, no_proxy=None)) or ""
    return re.sub(r"^.*(//|@)", "", proxy).partition("/")[0]


def _proxy_variable(url: str) -> str:
    scheme = urlsplit(url).scheme
    is_set = any(os.environ.get(name) for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()))
    return f"{scheme}_proxy".upper() if is_set else "ALL_PROXY"
