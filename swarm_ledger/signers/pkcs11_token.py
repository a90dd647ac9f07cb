# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""PKCS#11 modules and the tokens behind them: found, opened, and their errors in words."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarm_ledger.errors import Misuse
from swarm_ledger.signers.pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri
from swarm_ledger.signers.secret import read_secret

if TYPE_CHECKING:
    import pkcs11

_INSTALL = "pip install 'swarm_ledger[pkcs11]' (python-pkcs11)."
_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib")
_MODULES = ("libsofthsm2.so", "opensc-pkcs11.so", "libykcs11.so", "libtpm2_pkcs11.so")
_LOCK = threading.RLock()
"""Held while any module is at work: python-pkcs11 initialises them for one thread."""

_SAID = {
    "PinIncorrect": ("refuses the PIN", "It is not tried again, as tokens count: correct it."),
    "PinInvalid": ("refuses the PIN", "It is not tried again, as tokens count: correct it."),
    "PinLenRange": ("refuses the PIN", "It has too few or too many characters."),
    "PinLocked": ("has blocked its PIN", "Unblock it with the token's PUK or SO PIN."),
    "PinExpired": ("wants another PIN", "Change it with the token's own tool."),
    "UserPinNotInitialized": ("has no user PIN yet", "Initialise it with the token's own tool."),
    "UserNotLoggedIn": ("wants a PIN", "Add ?pin-source=env:NAME, fd:NUMBER or file:PATH."),
    "UserAlreadyLoggedIn": ("is in use by this process", "Close the other session first."),
    "TokenNotPresent": ("was removed", "Put it back."),
    "DeviceRemoved": ("was removed", "Put it back."),
    "TokenNotRecognised": ("is not recognised", "Put it in again, or look at its reader."),
    "TokenWriteProtected": ("is write-protected", "Take another token."),
    "MechanismInvalid": ("does not know this kind of key", "Take another --algorithm."),
    "CurveNotSupported": ("does not know this curve", "Take another --algorithm."),
}
_READS, _PAUSE_S = 10, 0.02
"""SoftHSM writes a token's file at each login, and fails whoever reads it meanwhile."""

_FINAL = ("PinIncorrect", "PinInvalid", "PinLenRange", "PinLocked")
"""After these, the PIN is not tried again."""


@dataclass(frozen=True)
class FoundToken:
    """A token that is here, for screens. blocked: its PIN is; low: a wrong PIN was tried."""

    module: str
    label: str
    serial: str
    model: str
    blocked: bool
    low: bool


def find_modules() -> list[str]:
    """Return the well-known PKCS#11 modules that are installed, by path."""
    folders = [Path(folder) for folder in _FOLDERS if Path(folder).is_dir()]
    places = [
        place
        for folder in folders
        for pattern in ("", "softhsm", "pkcs11", "*-linux-*", "*-linux-*/softhsm")
        for place in (sorted(folder.glob(pattern)) if pattern else [folder])
    ]
    found = {
        str((place / name).resolve()): None
        for place in places
        for name in _MODULES
        if (place / name).is_file()
    }
    return list(found)


def find_tokens(module: str) -> list[FoundToken]:
    """Return the tokens behind a module; Misuse if it fails, or python-pkcs11 is missing."""
    kinds = api().TokenFlag
    with _LOCK, explained(module):
        return [
            FoundToken(
                module,
                token.label,
                token.serial.decode(errors="replace"),
                token.model,
                blocked=bool(token.flags & kinds.USER_PIN_LOCKED),
                low=bool(token.flags & (kinds.USER_PIN_COUNT_LOW | kinds.USER_PIN_FINAL_TRY)),
            )
            for token in _tokens(module)
        ]


def restart_module(module: str) -> None:
    """Have a module look at its configuration and tokens anew, where this process uses it."""
    with _LOCK, explained(module):
        api().lib(module).reinitialize()


class Access:
    """The way to the one token that a URI means. folder: what its paths are relative to."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri = parse_pkcs11_uri(uri)
        self._pin, self._modules = _pin(self.uri, folder), _modules(self.uri, folder)
        self._refused = False

    @property
    def logs_in(self) -> bool:
        """Whether there is a PIN to log in with."""
        return bool(self._pin)

    @contextmanager
    def session(self, *, write: bool = False) -> Iterator[pkcs11.Session]:
        """Open a session on the one token that the URI means, logged in."""
        if self._refused:
            raise Misuse(
                f"the {self.uri.token} refused its PIN before, and it is not tried again.",
                remedy="Correct the PIN, and start anew.",
            )
        with _LOCK, explained(f"the {self.uri.token}"):
            token = self._token()
            try:
                session = token.open(rw=write, user_pin=self._pin or None)
            except api().PKCS11Error as error:
                if type(error).__name__ in _FINAL:
                    self._refused = True
                raise
            with session:
                yield session

    def _token(self) -> pkcs11.Token:
        found = []
        for module in self._modules:
            # Where no module was named, one that fails must not hide what another one has.
            with suppress(*[api().PKCS11Error] * (len(self._modules) > 1)):
                found += [token for token in _tokens(module) if _meant(self.uri, module, token)]
        if not found:
            raise Misuse(
                f"there is no {self.uri.token}.",
                remedy="Is it put in? `swarm-ledger doctor` lists the tokens that are here; "
                "module-path=PATH names another module.",
            )
        if len(found) > 1:
            seen = ", ".join(f"serial {token.serial.decode()}" for token in found)
            raise Misuse(
                f"more than one is a {self.uri.token}: {seen}.",
                remedy="Add serial= to the URI.",
            )
        return found[0]


def api() -> Any:
    """Return python-pkcs11; Misuse where it is not installed."""
    try:
        import pkcs11  # noqa: PLC0415  - optional
    except ImportError as error:
        raise Misuse(f"PKCS#11 keys need python-pkcs11 ({error}).", remedy=_INSTALL) from error
    return pkcs11


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the errors of a module into Misuse that speaks of `what`."""
    errors: Any = api().PKCS11Error
    try:
        yield
    except errors as error:
        name = type(error).__name__
        said, remedy = _SAID.get(name, (f"failed: {name} {error}".rstrip(), ""))
        raise Misuse(f"{what} {said}.", remedy=remedy) from error


def _pin(uri: Pkcs11Uri, folder: Path) -> str:
    if uri.pin_value:
        warnings.warn(
            "a PIN stands in a key's URI, where others may read it: use pin-source=env:NAME",
            stacklevel=4,
        )
        return uri.pin_value
    if not uri.pin_source:
        return ""
    known = ("env:", "fd:", "file:", "credential:")
    # RFC 7512 leaves the form open; a plain path is what other tools take, too.
    source = uri.pin_source if uri.pin_source.startswith(known) else f"file:{uri.pin_source}"
    return read_secret(source, folder)


def _modules(uri: Pkcs11Uri, folder: Path) -> list[str]:
    if uri.module_path:
        return [str(folder / uri.module_path)]
    found = find_modules()
    if uri.module_name:
        wanted = (f"{uri.module_name}.so", f"lib{uri.module_name}.so")
        found = [module for module in found if Path(module).name in wanted]
    if not found:
        raise Misuse(
            f"no PKCS#11 module {uri.module_name} is installed.".replace("  ", " "),
            remedy="Install the token's module, such as softhsm2 or opensc, or name it with "
            "module-path=PATH.",
        )
    return found


def _tokens(module: str) -> Iterator[pkcs11.Token]:
    """Yield the tokens behind a module that have been initialised."""
    flags = api().TokenFlag
    for slot in api().lib(module).get_slots(True):
        try:
            token = _token_in(slot)
        except (api().TokenNotPresent, api().TokenNotRecognised):
            continue
        if token.flags & flags.TOKEN_INITIALIZED:
            yield token


def _token_in(slot: pkcs11.Slot) -> pkcs11.Token:
    """Read a token's label and flags, which another process may be writing at this moment."""
    for _ in range(_READS - 1):
        with suppress(api().GeneralError):
            return slot.get_token()
        time.sleep(_PAUSE_S)
    return slot.get_token()


def _meant(uri: Pkcs11Uri, module: str, token: pkcs11.Token) -> bool:
    library, slot = api().lib(module), token.slot
    major, minor = library.library_version
    here = {
        "token": token.label,
        "manufacturer": token.manufacturer_id,
        "serial": token.serial.decode(errors="replace"),
        "model": token.model,
        "slot-manufacturer": slot.manufacturer_id,
        "slot-description": slot.slot_description,
        "slot-id": str(slot.slot_id),
        "library-manufacturer": library.manufacturer_id,
        "library-description": library.library_description,
        "library-version": f"{major}.{minor}",
    }
    asked = dict(uri.place)
    if "." not in asked.get("library-version", "."):
        asked["library-version"] += ".0"
    return all(here[name] == value for name, value in asked.items())
