"""The SOAP calls that clients log in and out by, in both namespaces, and the faults of all others."""

from __future__ import annotations

import pytest
import requests
from salesforce_bulk_simulator import Org

from .api import Api

LOGIN = "<username>sim@example.com</username><password>sim-passsim-token</password>"


def call(
    url: str,
    name: str,
    inner: str = "",
    *,
    session: str = "",
    endpoint: str = "u",
    namespace: str = "partner",
    headers: dict[str, str] | None = None,
) -> requests.Response:
    """Make a SOAP call."""
    urn = f"urn:{namespace}.soap.sforce.com"
    body = (
        '<se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/"><se:Header>'
        f'<SessionHeader xmlns="{urn}"><sessionId>{session}</sessionId></SessionHeader></se:Header>'
        f'<se:Body><{name} xmlns="{urn}">{inner}</{name}></se:Body></se:Envelope>'
    )
    sent = {"Content-Type": "text/xml", "SOAPAction": '""'} if headers is None else headers
    return requests.post(f"{url}/services/Soap/{endpoint}/60.0", data=body, headers=sent, timeout=30)


def token_of(api: Api) -> str:
    return str(api.session.headers["Authorization"]).partition(" ")[2]


NAMESPACES = pytest.mark.parametrize(("endpoint", "namespace"), [("u", "partner"), ("c", "enterprise")])


@NAMESPACES
def test_login_answers_in_the_namespace_of_its_endpoint(url: str, endpoint: str, namespace: str) -> None:
    """And leads on to the same endpoint."""
    answer = call(url, "login", LOGIN, endpoint=endpoint, namespace=namespace)

    assert answer.status_code == 200
    assert f'xmlns="urn:{namespace}.soap.sforce.com"' in answer.text
    assert f"<serverUrl>{url}/services/Soap/{endpoint}/60.0/" in answer.text


@NAMESPACES
def test_a_wrong_password_is_a_login_fault_of_the_namespace(url: str, endpoint: str, namespace: str) -> None:
    """HTTP 500, with code and type."""
    answer = call(url, "login", "<username>x</username>", endpoint=endpoint, namespace=namespace)

    assert answer.status_code == 500
    assert f'xmlns:sf="urn:fault.{namespace}.soap.sforce.com"' in answer.text
    assert '<sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>' in answer.text


@NAMESPACES
def test_get_user_info_says_who_is_logged_in(api: Api, org: Org, endpoint: str, namespace: str) -> None:
    """With the keys of the guide."""
    answer = call(api.url, "getUserInfo", session=token_of(api), endpoint=endpoint, namespace=namespace)

    assert answer.status_code == 200
    assert f"<organizationId>{org.org_id}</organizationId>" in answer.text
    assert "<userName>sim@example.com</userName>" in answer.text


def test_logout_ends_the_session(api: Api) -> None:
    """For SOAP and for REST."""
    first = call(api.url, "logout", session=token_of(api))
    second = call(api.url, "logout", session=token_of(api))

    assert (first.status_code, "<logoutResponse" in first.text) == (200, True)
    assert api("GET", "limits").status_code == 401
    assert second.status_code == 500
    assert "<faultcode>sf:INVALID_SESSION_ID</faultcode>" in second.text
    assert "INVALID_LOGIN" not in second.text


@pytest.mark.parametrize(
    ("name", "endpoint", "text"),
    [
        ("frobnicate", "u", "No operation available for request {urn:partner.soap.sforce.com}frobnicate, please check"),
        ("getUserInfo", "c", "No operation available for request {urn:partner.soap.sforce.com}getUserInfo, please"),
        ("query", "u", "Salesforce serves the SOAP call query(), the simulator does not."),
    ],
    ids=["unknown", "another namespace", "not built"],
)
def test_other_calls_have_faults_of_their_own(api: Api, name: str, endpoint: str, text: str) -> None:
    """None of them reads like a failed login."""
    answer = call(api.url, name, session=token_of(api), endpoint=endpoint)

    assert answer.status_code == 500
    assert text in answer.text
    assert "INVALID_LOGIN" not in answer.text


@pytest.mark.parametrize(
    ("body", "headers", "text"),
    [
        ("<a/>", {"SOAPAction": ""}, "The request is not a SOAP envelope with a call in its body"),
        ("nonsense", {"SOAPAction": ""}, "The request is not well-formed XML"),
        ("<!DOCTYPE a><a/>", {"SOAPAction": ""}, "DOCTYPE is not allowed"),
        ("<a/>", {}, "SOAPAction HTTP header missing"),
    ],
    ids=["no envelope", "no XML", "document type", "no action"],
)
def test_what_is_no_call_is_the_clients_fault(url: str, body: str, headers: dict[str, str], text: str) -> None:
    """The SOAP engine refuses it."""
    answer = requests.post(f"{url}/services/Soap/u/60.0", data=body, headers=headers, timeout=30)

    assert answer.status_code == 500
    assert f"<faultcode>soapenv:Client</faultcode><faultstring>{text}</faultstring>" in answer.text


def test_a_login_without_soap_action_is_refused(url: str) -> None:
    """Right user and password or not."""
    answer = call(url, "login", LOGIN, headers={"Content-Type": "text/xml"})

    assert answer.status_code == 500
    assert "SOAPAction HTTP header missing" in answer.text
