# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger key`: root keys, made where a URI says, and shown."""

from __future__ import annotations

import re
import time
import warnings
from typing import Annotated, Any
from urllib.parse import quote

import typer
from msgspec.structs import asdict
from rich.markup import escape

from swarm_ledger.cli import FAILED
from swarm_ledger.cli.lazy import lazily
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.attestation import Attested, check_statement, issuer
from swarm_ledger.identity.cose import kid
from swarm_ledger.identity.roster import drone_id
from swarm_ledger.identity.signature import verify
from swarm_ledger.signers import (
    Algorithm,
    KeyStore,
    Signer,
    Statement,
    TokenReport,
    new_key,
    open_signer,
    statement_of,
)

app = typer.Typer(
    help="Root keys: made in a file, a token or a TPM, and shown.",
    cls=lazily({"answer": "attest:answer"}),
)

_ALGORITHMS = {"": None, "ed25519": Algorithm.EDDSA, "p256": Algorithm.ES256}
_CHECK = b"swarm_ledger key check"
"""What `show` signs to see that the key works. Neither COSE nor TUF signs anything like it."""

_SOFTWARE = "whoever can read the file, or this computer's memory, has the key"
_PIN = re.compile(r"(?<=pin-value=)[^&]*")

_Uri = Annotated[str, typer.Argument(help="file:PATH, pkcs11:token=...;object=... or tpm2:...")]


@app.command("new")
def new(
    uri: _Uri,
    algorithm: Annotated[
        str, typer.Option(help="ed25519 or p256; ed25519 otherwise, and p256 in a TPM.")
    ] = "",
    label: Annotated[str, typer.Option(help="What to call the key in a PKCS#11 token.")] = "",
    as_json: Json = False,
) -> None:
    """Make a root key. In a token or a TPM it is made there, and never leaves it."""
    if algorithm not in _ALGORITHMS:
        raise Misuse(f"unknown algorithm {algorithm!r}.", remedy="Take ed25519 or p256.")
    where = _labelled(uri, label) if label else uri
    _tell(where, new_key(where, _ALGORITHMS[algorithm]), as_json)


@app.command("show")
def show(
    uri: _Uri,
    statement: Annotated[
        bool,
        typer.Option("--statement", help="And what its store states of it, as in a request."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a root key, and have it sign something to see that it works.

    Exit code 0 if its signature verifies, 1 if not, 2 if it can't be used.
    """
    _tell(uri, open_signer(uri), as_json, statement=statement)


def stated(signer: Signer, context: bytes) -> Statement | None:
    """Return what a key's store states of it; None, and say why, where that can't be had."""
    try:
        return statement_of(signer, context)
    except Misuse as error:
        warnings.warn(f"nothing is stated about this key: {error.explain()}", stacklevel=2)
        return None


def _labelled(uri: str, label: str) -> str:
    place, asked, query = uri.partition("?")
    if not place.startswith("pkcs11:") or "object=" in place:
        raise Misuse(
            "a label is for a key in a PKCS#11 token whose URI has no object= yet.",
            remedy="Leave --label out.",
        )
    separator = "" if place.endswith(":") else ";"
    return f"{place}{separator}object={quote(label, safe='')}{asked}{query}"


def _tell(uri: str, signer: Signer, as_json: bool, *, statement: bool = False) -> None:
    started = time.perf_counter()
    works = verify(signer.public_key, _CHECK, signer.sign(_CHECK))
    took_ms = round((time.perf_counter() - started) * 1000, 2)
    found: dict[str, Any] = {
        "uri": _PIN.sub("***", uri),
        "key_store": signer.key_store.label,
        "algorithm": signer.algorithm.label,
        "public_key": signer.public_key.hex(),
        "kid": kid(signer.public_key).hex(),
        "drone_id": drone_id(signer.public_key),
        "attributes": dict(signer.attributes),
        "works": works,
        "sign_ms": took_ms,
    }
    if statement:
        found["statement"] = _read(stated(signer, bytes(32)), signer.public_key)
    if as_json:
        print_json(found)
    else:
        _print(found, signer)
    if not works:
        raise typer.Exit(FAILED)


def _read(statement: Statement | None, public_key: bytes) -> dict[str, Any] | None:
    if isinstance(statement, TokenReport):
        return {"attested": Attested.REPORTED.value, **asdict(statement)}
    if statement is None:
        return None
    check_statement(statement, public_key, bytes(32))
    return {"attested": Attested.CERTIFIED.value, "ek_issuer": issuer(statement)}


def _print(found: dict[str, Any], signer: Signer) -> None:
    console.print(f"Key: {escape(found['uri'])}")
    if signer.key_store is KeyStore.SOFTWARE:
        console.print(f"Store: [yellow]SOFTWARE KEY[/]: {_SOFTWARE}")
    else:
        console.print(f"Store: [green]{found['key_store']}[/]")
    console.print(f"Algorithm: {found['algorithm']}")
    console.print(f"Public key: {found['public_key']}")
    console.print(f"Key id: {found['kid']}; drone id: {found['drone_id']}")
    if signer.attributes:
        said = ", ".join(
            f"{name}: {'yes' if v else 'no'}" for name, v in signer.attributes.items()
        )
        console.print(f"The store says: {said}")
    if found.get("statement"):
        parts = (f"{name} {value}" for name, value in found["statement"].items())
        console.print(f"It states: {escape(', '.join(parts))}")
    if signer.attributes.get("extractable"):
        console.print("[red]This key can be taken out of its token[/]")
    works = "[green]yes[/]" if found["works"] else "[red]NO: its signature does not verify[/]"
    console.print(f"Works: {works}, {found['sign_ms']:g} ms a signature")
