"""Responses of the OpenSubsonic API, in XML or JSON, of payloads that are made once for both.

In XML a value of a payload becomes an attribute, a record an element, a list an element for each of its members. A
record's "value" is the text of its element.
"""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from starlette.responses import Response

from resonance_engine import __version__
from resonance_engine.server.subsonic.errors import GENERIC, SubsonicError

Payload = dict[str, Any]
API_VERSION = "1.16.1"
NAMESPACE = "http://subsonic.org/restapi"
TEXT = "value"
FORMATS = ("xml", "json")
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_format(name: str | None) -> str:
    """Return the format of responses; SubsonicError for one that is not offered."""
    if name in (None, ""):
        return FORMATS[0]
    if name not in FORMATS:
        raise SubsonicError(GENERIC, "Responses are sent as f=xml or f=json.")
    return str(name)


def make_response(payload: Payload, kind: str, status: int = 200) -> Response:
    """Return the response of a request that was met."""
    return render({"status": "ok", **describe_server(), **payload}, kind, status)


def make_failure(error: SubsonicError, kind: str, status: int = 200) -> Response:
    """Return the response of a request that could not be met."""
    failure = {"code": error.code, "message": str(error)}
    return render({"status": "failed", **describe_server(), "error": failure}, kind, status)


def describe_server() -> Payload:
    return {"version": API_VERSION, "type": "resonance", "serverVersion": __version__, "openSubsonic": True}


def render(record: Payload, kind: str, status: int) -> Response:
    """Return a response of a record in XML or JSON."""
    if kind == "json":
        content = json.dumps({"subsonic-response": record}).encode()  # in ASCII, whatever a tag holds
        return Response(content, status, media_type="application/json")
    root = Element("subsonic-response", {"xmlns": NAMESPACE})
    fill_element(root, record)
    return Response(
        tostring(root, encoding="utf-8", xml_declaration=True), status, media_type="text/xml; charset=utf-8"
    )


def fill_element(element: Element, record: Payload) -> None:
    """Add the values of a record to an element."""
    for name, value in record.items():
        if isinstance(value, dict):
            fill_element(SubElement(element, name), value)
        elif isinstance(value, list):
            for member in value:
                child = SubElement(element, name)
                if isinstance(member, dict):
                    fill_element(child, member)
                else:
                    child.text = to_text(member)
        elif name == TEXT:
            element.text = to_text(value)
        else:
            element.set(name, to_text(value))


def to_text(value: object) -> str:
    """Return a value as XML has it, without characters that it cannot hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return NOT_IN_XML.sub("", str(value))
