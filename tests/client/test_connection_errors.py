"""When no answer comes, the message keeps the cause, and names the host, the proxy or the file to look at."""

from __future__ import annotations

import doctest
import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import (
    ConfigError,
    ConnectionConfig,
    ConnectionFailed,
    LoginError,
    RequestRefused,
    SalesforceClient,
    SalesforceError,
    connection_errors,
)
from salesforce_bulk_simulator.http.certificates import make_certificate

LOGIN = {"client_id": "k", "client_secret": "s", "refresh_token": "r", "retry_total_s": 0.1}
SESSION = {"access_token": "t", "retry_total_s": 0.1}
NOWHERE = "http://user:sesame@127.0.0.1:9"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable that requests reads."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers everything with a status and headers; gives its port."""
    servers = []

    def start(status: int, **headers: str) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815  # the base class's names
            do_CONNECT = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return int(server.server_port)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def error_of(settings: dict[str, Any]) -> SalesforceError:
    """What a first request ends in."""
    with pytest.raises(SalesforceError) as caught, SalesforceClient(ConnectionConfig.from_settings(settings)) as client:
        client.limits()
    assert "sesame" not in str(caught.value)
    assert "sesame" not in repr(caught.value.__cause__)
    return caught.value


def test_a_file_of_certificates_that_is_not_there(surroundings: pytest.MonkeyPatch) -> None:
    """Nothing is tried again: it would not come."""
    surroundings.setenv("REQUESTS_CA_BUNDLE", "/nowhere")

    error = error_of({**LOGIN, "login_url": "https://127.0.0.1:9"})

    assert isinstance(error, ConfigError)
    assert (
        str(error) == "REQUESTS_CA_BUNDLE is '/nowhere', but there is no such file: no TLS certificate can be checked"
    )


def test_a_file_of_certificates_that_holds_none(surroundings: pytest.MonkeyPatch, serve: Serve, tmp_path: Path) -> None:
    """It is named beside what TLS says."""
    (tmp_path / "empty.pem").write_text("x")
    surroundings.setenv("CURL_CA_BUNDLE", str(tmp_path / "empty.pem"))

    error = error_of({**LOGIN, "login_url": f"https://127.0.0.1:{serve(200)}"})

    assert "(TLS: NO_CERTIFICATE_OR_CRL_FOUND; trusted are those in " in str(error)
    assert str(error).endswith("empty.pem: CURL_CA_BUNDLE)")


def test_a_server_without_tls(serve: Serve) -> None:
    """In the words of TLS."""
    port = serve(200)

    error = error_of({**LOGIN, "login_url": f"https://127.0.0.1:{port}"})

    assert f"no whole answer from 127.0.0.1:{port} (TLS: WRONG_VERSION_NUMBER)" in str(error)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_down(surroundings: pytest.MonkeyPatch, scheme: str) -> None:
    """It is named with its variable, and the host behind it."""
    surroundings.setenv(f"{scheme}_proxy", NOWHERE)

    error = error_of({**LOGIN, "login_url": f"{scheme}://127.0.0.1:8"})

    assert isinstance(error, ConnectionFailed)
    assert not error.may_have_worked
    assert str(error) == (
        "POST /services/oauth2/token: no whole answer from 127.0.0.1:8 through the proxy 127.0.0.1:9"
        f" ({scheme.upper()}_PROXY) (Connection refused)"
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_credentials(surroundings: pytest.MonkeyPatch, serve: Serve, scheme: str) -> None:
    """The message says where they go."""
    port = serve(407)
    surroundings.setenv("ALL_PROXY", f"http://user:sesame@127.0.0.1:{port}")

    error = error_of({**LOGIN, "login_url": f"{scheme}://127.0.0.1:8"})

    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"the proxy 127.0.0.1:{port} wants credentials (407 Proxy Authentication Required): put them into ALL_PROXY, as"
        " in http://user:password@proxy.example:8080"
    )


def test_a_proxy_that_refuses_the_host(surroundings: pytest.MonkeyPatch, serve: Serve) -> None:
    """In its own words."""
    surroundings.setenv("HTTPS_PROXY", f"http://user:sesame@127.0.0.1:{serve(403)}")

    error = error_of({**LOGIN, "login_url": "https://127.0.0.1:8"})

    assert str(error).endswith(" (HTTPS_PROXY) (Tunnel connection failed: 403 Forbidden)")


@pytest.mark.parametrize(
    "address",
    ["http://user:sesame@127.0.0.1:port", "ftp://user:sesame@h:1", "socks5://user:sesame@127.0.0.1:9", "http://"],
)
def test_a_proxy_whose_address_is_none(surroundings: pytest.MonkeyPatch, address: str) -> None:
    """The variable is named, and its content is not."""
    surroundings.setenv("HTTPS_PROXY", address)

    error = error_of({**LOGIN, "login_url": "https://127.0.0.1:8"})

    assert isinstance(error, ConfigError)
    assert str(error).startswith("HTTPS_PROXY does not hold the address of a proxy that can be used: ")


def test_a_host_that_does_not_exist() -> None:
    """The settings that say where it is are named."""
    error = error_of({**LOGIN, "domain": "nothing.invalid"})

    assert isinstance(error, ConnectionFailed)
    assert not error.may_have_worked
    assert "no whole answer from nothing.invalid (" in str(error)
    assert ": check domain, or the login_url or instance_url that is given)" in str(error)


@pytest.fixture
def https(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server that reads one request, and answers with what is not TLS; and whom to trust for it."""
    certificate = make_certificate(tmp_path / "certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)

    def serve() -> None:
        accepted, _ = listening.accept()
        with suppress(OSError), context.wrap_socket(accepted, server_side=True) as connection:
            connection.recv(1 << 16)
            os.write(connection.fileno(), b"x" * 64)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://localhost:{listening.getsockname()[1]}", certificate.authority
        thread.join()


def test_a_tls_error_after_the_request_was_sent(surroundings: pytest.MonkeyPatch, https: tuple[str, Path]) -> None:
    """The request has arrived, so it may have worked."""
    url, authority = https
    surroundings.setenv("REQUESTS_CA_BUNDLE", str(authority))

    error = error_of({**SESSION, "instance_url": url})

    assert "(TLS: WRONG_VERSION_NUMBER" in str(error)
    assert isinstance(error, ConnectionFailed)
    assert error.may_have_worked


def test_a_certificate_that_is_not_trusted(https: tuple[str, Path]) -> None:
    """Nothing was sent."""
    error = error_of({**SESSION, "instance_url": https[0]})

    assert "(TLS: " in str(error)
    assert "certificate" in str(error)
    assert isinstance(error, ConnectionFailed)
    assert not error.may_have_worked


def test_an_earlier_error_says_nothing_of_this_request() -> None:
    """One that is sent while another's refused connection is handled, such as one that cleans up, may have worked."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        except ConnectionRefusedError:
            error = error_of({**SESSION, "instance_url": address, "request_timeout_s": 0.2})

    assert "timed out after 0.2 s" in str(error)
    assert isinstance(error, ConnectionFailed)
    assert error.may_have_worked


def test_a_host_that_is_silent() -> None:
    """The setting that says how long to wait is named."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        error = error_of({**LOGIN, "login_url": address, "request_timeout_s": 0.1})

    assert str(error).endswith("(timed out after 0.1 s: request_timeout_s)")


@pytest.mark.parametrize(
    ("settings", "where", "kind"),
    [(LOGIN, "login_url", LoginError), (SESSION, "instance_url", RequestRefused)],
    ids=["login", "request"],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(
    serve: Serve, settings: dict[str, Any], where: str, kind: type[SalesforceError], status: int
) -> None:
    """The message names the host that it points to, and the settings; that host never hears of it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        location = f"http://127.0.0.1:{other.getsockname()[1]}/services"
        error = error_of({**settings, where: f"http://127.0.0.1:{serve(status, Location=location)}"})

        with pytest.raises(TimeoutError):
            other.accept()
    assert isinstance(error, kind)
    assert (
        "it redirects to 127.0.0.1, which is not followed: set domain, or the login_url or instance_url that is given,"
        " to the org's present host"
    ) in str(error)


@pytest.mark.parametrize(
    ("settings", "instead"),
    [
        ({**LOGIN, "domain": "acme.lightning.force.com"}, "acme.my.salesforce.com"),
        ({**LOGIN, "domain": "Acme--dev.sandbox.Lightning.force.com"}, "acme--dev.sandbox.my.salesforce.com"),
        ({**LOGIN, "domain": "acme.my.salesforce-setup.com"}, "acme.my.salesforce.com"),
        ({**LOGIN, "login_url": "https://acme.lightning.force.com/"}, "https://acme.my.salesforce.com"),
        ({**SESSION, "instance_url": "https://acme.lightning.force.com"}, "https://acme.my.salesforce.com"),
    ],
)
def test_a_host_of_pages_is_refused(settings: dict[str, Any], instead: str) -> None:
    """It is what stands in a browser; the message says what to use."""
    with pytest.raises(ConfigError, match=f"which serves pages and no API: set it to {instead}"):
        ConnectionConfig.from_settings(settings)


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(connection_errors).failed == 0
