# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""PKCS#11 URIs (RFC 7512): which key, on which token, through which module, with which PIN.

Stricter than the RFC in two things: an attribute that we don't know is refused, as it may be a
slip of the pen, and one key must be meant, so `object` or `id` is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from swarm_ledger.errors import Misuse

SCHEME = "pkcs11"

TOKEN_ATTRIBUTES = ("token", "manufacturer", "serial", "model")
SLOT_ATTRIBUTES = ("slot-manufacturer", "slot-description", "slot-id")
LIBRARY_ATTRIBUTES = ("library-manufacturer", "library-description", "library-version")
_OBJECT_ATTRIBUTES = ("object", "id", "type")
_PATH_ATTRIBUTES = (
    *TOKEN_ATTRIBUTES,
    *SLOT_ATTRIBUTES,
    *LIBRARY_ATTRIBUTES,
    *_OBJECT_ATTRIBUTES,
)
_QUERY_ATTRIBUTES = ("pin-source", "pin-value", "module-name", "module-path")

# RFC 7512, 2.3: what may stand unencoded in a value of the path, of the query.
_IN_PATH = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})*")
_IN_QUERY = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=/?|]|%[0-9A-Fa-f]{2})*")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,2})(?:\.(0|[1-9][0-9]{0,2}))?")


@dataclass(frozen=True)
class Pkcs11Uri:
    """What a URI asks for. place: attributes of library, slot and token, decoded, by name.

    object: the key's label, id: its CKA_ID; None where not given. pin_source: where the PIN is,
    as read_secret() takes it; pin_value: the PIN itself, and never shown.
    """

    place: Mapping[str, str]
    object: str | None
    id: bytes | None
    pin_source: str = ""
    pin_value: str = field(default="", repr=False)
    module_name: str = ""
    module_path: str = ""

    @property
    def token(self) -> str:
        """Words for the token that is meant: token 'LABEL' with serial '123'."""
        label = f" {self.place['token']!r}" if "token" in self.place else ""
        more = [f"{name} {value!r}" for name, value in self.place.items() if name != "token"]
        return f"token{label}" + (f" with {', '.join(more)}" if more else "")

    @property
    def key(self) -> str:
        """Words for the key that is meant."""
        label = [] if self.object is None else [f"object {self.object!r}"]
        number = [] if self.id is None else [f"id {self.id.hex()}"]
        return " with ".join([*label, *number])


def parse_pkcs11_uri(uri: str) -> Pkcs11Uri:
    """Parse a URI; Misuse, without the PIN, for what is not one, or does not mean one key."""
    scheme, _, rest = uri.partition(":")
    if scheme != SCHEME:
        raise Misuse("a PKCS#11 URI starts with pkcs11:.")
    path_text, asked, query_text = rest.partition("?")
    path = _attributes(path_text, ";", _PATH_ATTRIBUTES, _IN_PATH)
    query = _attributes(query_text, "&", _QUERY_ATTRIBUTES, _IN_QUERY) if asked else {}
    for one, other in (("pin-source", "pin-value"), ("module-name", "module-path")):
        if one in query and other in query:
            raise Misuse(f"a PKCS#11 URI can't have both {one} and {other}.")
    if path.get("type", b"private") != b"private":
        raise Misuse("a PKCS#11 URI must mean a private key.", remedy="Leave type= out.")
    number = path.get("id")
    if "object" not in path and not number:
        raise Misuse(
            "a PKCS#11 URI must say which key is meant.", remedy="Add object=LABEL or id=%01."
        )
    _check_numbers(path)
    place = {
        name: _text(name, value) for name, value in path.items() if name not in _OBJECT_ATTRIBUTES
    }
    return Pkcs11Uri(
        place=place,
        object=_text("object", path["object"]) if "object" in path else None,
        id=number,
        pin_source=_text("pin-source", query.get("pin-source", b"")),
        pin_value=_text("pin-value", query.get("pin-value", b"")),
        module_name=_text("module-name", query.get("module-name", b"")),
        module_path=_text("module-path", query.get("module-path", b"")),
    )


def _attributes(
    text: str, separator: str, known: tuple[str, ...], form: re.Pattern[str]
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if not equals or name not in known:
            raise Misuse(
                f"a PKCS#11 URI has no attribute {name!r} there.",
                remedy=f"It takes {', '.join(known)}.",
            )
        if name in found:
            raise Misuse(f"in a PKCS#11 URI, {name} stands twice.")
        if not form.fullmatch(value):
            raise Misuse(
                f"in a PKCS#11 URI, the value of {name} has characters that must be "
                "percent-encoded.",
                remedy="Write %20 for a space.",
            )
        found[name] = unquote_to_bytes(value)
    return found


def _check_numbers(path: Mapping[str, bytes]) -> None:
    slot = path.get("slot-id", b"0")
    if not (slot.isdigit() and len(slot) <= 20):
        raise Misuse("in a PKCS#11 URI, slot-id must be a number.")
    if not _VERSION.fullmatch(path.get("library-version", b"0").decode("latin-1")):
        raise Misuse("in a PKCS#11 URI, library-version must be like 2 or 2.6.")


def _text(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise Misuse(f"in a PKCS#11 URI, {name} must be UTF-8.") from error
    if "\0" in text:
        raise Misuse(f"in a PKCS#11 URI, {name} can't hold a zero byte.")
    return text
