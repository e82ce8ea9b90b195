"""SOAP ``login()``: for API versions up to 64.0."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .login import instance_url
from .messages import Request, Response

if TYPE_CHECKING:
    from .org import Org

_XML = {"Content-Type": "text/xml; charset=UTF-8"}
_LAST_VERSION = 64.0
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope'
    ' xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"'
    ' xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"
)
_FAULT = (
    "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring>"
    '<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode>'
    "<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
)
_RESULT = (
    "<loginResponse><result><metadataServerUrl>{base}/services/Soap/m/{version}/{org}</metadataServerUrl>"
    "<passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
    "<serverUrl>{base}/services/Soap/u/{version}/{org}</serverUrl><sessionId>{session}</sessionId>"
    "<userId>{user}</userId><userInfo><organizationId>{org}</organizationId>"
    "<sessionSecondsValid>{seconds}</sessionSecondsValid><userId>{user}</userId><userName>{name}</userName>"
    "</userInfo></result></loginResponse>"
)


def login(org: Org, request: Request) -> Response:
    """Answer ``POST /services/Soap/u/{version}``."""
    version = request.parts["version"]
    if float(version) > _LAST_VERSION:
        message = f"login() is not available in API version {version}"
        return _fault("UNSUPPORTED_API_VERSION", message)
    text = request.body.decode("utf-8", "replace")
    if _element(text, "username") != org.username or not org.accepts_password(_element(text, "password")):
        return _fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
    result = _RESULT.format(
        base=instance_url(request),
        version=version,
        org=org.org_id,
        session=escape(org.sessions.open()),
        user=org.user_id,
        seconds=int(org.sessions.token_life_s),
        name=escape(org.username),
    )
    return Response(200, _ENVELOPE.format(result).encode(), _XML)


def _element(text: str, name: str) -> str:
    match = re.search(rf"<(?:\w+:)?{name}>(.*?)</(?:\w+:)?{name}>", text, re.DOTALL)
    return unescape(match[1]) if match else ""


def _fault(code: str, message: str) -> Response:
    return Response(500, _ENVELOPE.format(_FAULT.format(code=code, message=escape(message))).encode(), _XML)
