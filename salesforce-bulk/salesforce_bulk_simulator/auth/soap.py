"""The SOAP API: login, logout and getUserInfo, in the partner and the enterprise namespace."""

from __future__ import annotations

import json
from collections.abc import Callable
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from salesforce_bulk_simulator.http.errors import NOT_IN_SIMULATOR, not_in_simulator
from salesforce_bulk_simulator.http.messages import Request, Response

from .login_hosts import instance_url
from .org_protocol import AuthOrg

_XML = {"Content-Type": "text/xml; charset=UTF-8"}
LAST_LOGIN_VERSION = 64.0
"""The last API version with ``login()``."""
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_NAMESPACES = {"u": "partner.soap.sforce.com", "c": "enterprise.soap.sforce.com"}
"""Namespaces by the letter in the path: a request has the one of its endpoint, and so has the response."""
_ENVELOPE = (
    f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_SOAP}" xmlns="urn:{{namespace}}"'
    ' xmlns:sf="urn:fault.{namespace}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
)
_FAULT = "<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring>{detail}</soapenv:Fault>"
_DETAIL = (
    '<detail><sf:{kind} xsi:type="sf:{kind}"><sf:exceptionCode>{code}</sf:exceptionCode>'
    "<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{kind}></detail>"
)
_UNSUPPORTED_CALLS = {
    "convertLead",
    "create",
    "delete",
    "deleteByExample",
    "describeAllTabs",
    "describeAppMenu",
    "describeGlobal",
    "describeLayout",
    "describeSObject",
    "describeSObjects",
    "describeSoqlListViews",
    "describeTabs",
    "emptyRecycleBin",
    "executeListView",
    "findDuplicates",
    "getDeleted",
    "getServerTimestamp",
    "getUpdated",
    "invalidateSessions",
    "merge",
    "process",
    "query",
    "queryAll",
    "queryMore",
    "resetPassword",
    "retrieve",
    "search",
    "sendEmail",
    "setPassword",
    "undelete",
    "update",
    "upsert",
}
"""Calls that Salesforce supports and the simulator does not (SOAP API guide, "Core Calls")."""


class SoapRefused(Exception):
    """A call that is answered with a SOAP fault, HTTP 500. ``kind`` is the type of its detail, if it has one."""

    def __init__(self, code: str, message: str, *, kind: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.kind = kind


def call_of(body: bytes) -> str:
    """Return the name of the call in a body; an empty string if there is none."""
    try:
        return _local_name(_call(body))
    except SoapRefused:
        return ""


def answer(org: AuthOrg, request: Request) -> Response:
    """Answer ``POST /services/Soap/u/{version}``, and ``/c/``, the enterprise endpoint."""
    namespace = _namespace(request)
    try:
        body = _answer(org, request, namespace)
    except SoapRefused as refused:
        return fault(request, refused)
    return Response(200, _ENVELOPE.format(namespace=namespace, body=body).encode(), _XML)


def fault(request: Request, refused: SoapRefused) -> Response:
    """Return a SOAP fault. Faults with a detail are Salesforce's own, the others the SOAP engine's."""
    message = escape(refused.message)
    detail = _DETAIL.format(kind=refused.kind, code=refused.code, message=message) if refused.kind else ""
    code, text = (f"sf:{refused.code}", f"{refused.code}: {message}") if refused.kind else (refused.code, message)
    body = _FAULT.format(code=code, text=text, detail=detail)
    return Response(500, _ENVELOPE.format(namespace=_namespace(request), body=body).encode("utf-8", "replace"), _XML)


def client_fault(message: str) -> SoapRefused:
    """Return the fault for a request that is not a valid call."""
    return SoapRefused("soapenv:Client", message)


def _namespace(request: Request) -> str:
    pieces = request.path.lower().strip("/").split("/")
    return _NAMESPACES["c" if pieces[2:3] == ["c"] else "u"]


def _answer(org: AuthOrg, request: Request, namespace: str) -> str:
    if "soapaction" not in request.headers:
        raise client_fault("SOAPAction HTTP header missing")
    call = _call(request.body)
    name = _local_name(call)
    if call.tag not in (f"{{urn:{namespace}}}{each}" for each in (*_CALLS, *_UNSUPPORTED_CALLS)):
        raise client_fault(f"No operation available for request {call.tag}, please check the WSDL for the service.")
    if name in _UNSUPPORTED_CALLS:
        message = not_in_simulator(f"the SOAP call {name}()").message
        raise SoapRefused(NOT_IN_SIMULATOR, message, kind="UnexpectedErrorFault")
    return f"<{name}Response>{_CALLS[name](org, request, call)}</{name}Response>"


def _call(body: bytes) -> ElementTree.Element:
    """Return the call in a request.

    Raises:
        SoapRefused: it is not SOAP.
    """
    envelope = _envelope(body)
    inner = envelope.find(f"{{{_SOAP}}}Body")
    if envelope.tag != f"{{{_SOAP}}}Envelope" or inner is None or len(inner) == 0:
        raise client_fault("The request is not a SOAP envelope with a call in its body")
    return inner[0]


def _envelope(body: bytes) -> ElementTree.Element:
    try:
        if b"<!DOCTYPE" in body:
            raise client_fault("DOCTYPE is not allowed")
        return ElementTree.fromstring(body)  # noqa: S314  without a DOCTYPE there are no entities to expand
    except (ElementTree.ParseError, ValueError, LookupError):
        raise client_fault("The request is not well-formed XML") from None


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element, name: str) -> str:
    """Return the text of the first descendant with a name, in any namespace."""
    return next((each.text or "" for each in element.iter() if _local_name(each) == name), "")


# --- the calls ------------------------------------------------------------------------------------------------------


def _login(org: AuthOrg, request: Request, call: ElementTree.Element) -> str:
    version = request.parts["version"]
    if float(version) > LAST_LOGIN_VERSION:
        message = f"login() is not available in API version {version}"
        raise SoapRefused("UNSUPPORTED_API_VERSION", message, kind="UnexpectedErrorFault")
    if _text(call, "username") != org.username or not org.accepts_password(_text(call, "password")):
        message = "Invalid username, password, security token; or user locked out."
        raise SoapRefused("INVALID_LOGIN", message, kind="LoginFault")
    base = f"{instance_url(request)}/services/Soap"
    letter = "u" if "partner" in _namespace(request) else "c"
    values: dict[str, str | int | bool | None] = {
        "metadataServerUrl": f"{base}/m/{version}/{org.org_id}",
        "passwordExpired": False,
        "sandbox": False,
        "serverUrl": f"{base}/{letter}/{version}/{org.org_id}",
        "sessionId": org.sessions.open(),
        "userId": org.user_id,
    }
    return f"<result>{_elements(values)}<userInfo>{_elements(_user_info(org))}</userInfo></result>"


def _logout(org: AuthOrg, request: Request, _call: ElementTree.Element) -> str:
    org.sessions.end(_session(org, request))
    return ""


def _get_user_info(org: AuthOrg, request: Request, _call: ElementTree.Element) -> str:
    _session(org, request)
    return f"<result>{_elements(_user_info(org))}</result>"


def _session(org: AuthOrg, request: Request) -> str:
    """Return the session in a call's header."""
    header = _envelope(request.body).find(f"{{{_SOAP}}}Header")
    token = "" if header is None else _text(header, "sessionId")
    if not org.sessions.use(token):
        message = "Invalid Session ID found in SessionHeader: Illegal Session"
        raise SoapRefused("INVALID_SESSION_ID", message, kind="UnexpectedErrorFault")
    return token


_CALLS: dict[str, Callable[[AuthOrg, Request, ElementTree.Element], str]] = {
    "login": _login,
    "logout": _logout,
    "getUserInfo": _get_user_info,
}


def _user_info(org: AuthOrg) -> dict[str, str | int | bool | None]:
    """Return the keys of GetUserInfoResult (SOAP API guide, "getUserInfo()"), in its order."""
    return {
        "accessibilityMode": False,
        "chatterExternal": False,
        "currencySymbol": "$",
        "orgAttachmentFileSizeLimit": 26214400,
        "orgDefaultCurrencyIsoCode": "USD",
        "orgDefaultCurrencyLocale": "en_US",
        "orgDisallowHtmlAttachments": False,
        "orgHasPersonAccounts": org.person_accounts,
        "organizationId": org.org_id,
        "organizationMultiCurrency": False,
        "organizationName": org.name,
        "profileId": None,
        "roleId": None,
        "sessionSecondsValid": int(org.sessions.token_life_s),
        "userDefaultCurrencyIsoCode": None,
        "userEmail": org.username,
        "userFullName": "Sim User",
        "userId": org.user_id,
        "userLanguage": "en_US",
        "userLocale": "en_US",
        "userName": org.username,
        "userTimeZone": "GMT",
        "userType": "Standard",
        "userUiSkin": "Theme3",
    }


def _elements(values: dict[str, str | int | bool | None]) -> str:
    return "".join(
        f'<{name} xsi:nil="true"/>'
        if value is None
        else f"<{name}>{escape(value) if isinstance(value, str) else json.dumps(value)}</{name}>"
        for name, value in values.items()
    )
