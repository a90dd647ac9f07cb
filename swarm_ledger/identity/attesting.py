# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a drone shows an operator that its key is in its TPM: a challenge, its answer, the verdict.

Challenge and answer are lines of text, as requests are, and kept beside them with the roster:
<drone id>.challenge and .answer. The challenge has only the digest of the secret in it, so that it
may be seen by anybody. It convinces the operator who made it; who trusts nobody makes another one.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

from cryptography import x509
from msgspec import Meta

from swarm_ledger.encoding import Record, decode, digest, encode
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity import tpm2
from swarm_ledger.identity.attestation import Attested, check_certificate
from swarm_ledger.identity.enrolment import Request, attested, open_request, request_file
from swarm_ledger.identity.roster import Member
from swarm_ledger.identity.trust import read_file, write_files
from swarm_ledger.signers import TpmStatement

_CHALLENGE = b"swarm_ledger/challenge/v1 "
_ANSWER = b"swarm_ledger/answer/v1 "
_MAX_BYTES = 2048
_SUFFIXES = ".challenge", ".answer"

_Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
_Name = Annotated[str, Meta(min_length=1, max_length=32)]
T = TypeVar("T", bound=Record)


class Challenge(Record, frozen=True):
    """What only the TPM of one request can open. request: the digest of that request.

    blob: the content of TPM2B_ID_OBJECT; secret: of TPM2B_ENCRYPTED_SECRET. answer: the digest of
    what is in it.
    """

    swarm_id: _Name
    name: _Name
    request: _Digest
    blob: Annotated[bytes, Meta(max_length=128)]
    secret: Annotated[bytes, Meta(max_length=256)]
    answer: _Digest


class Answer(Record, frozen=True):
    """What was in a challenge. challenge: the digest of that."""

    challenge: _Digest
    credential: Annotated[bytes, Meta(max_length=64)]


def challenge(folder: Path, swarm_id: str, member: Member, *, random: bytes) -> bytes:
    """Make the challenge for a member's TPM, keep it, and return its line.

    folder: with the requests; random: 64 fresh random bytes. Misuse where the member's request has
    no statement of a TPM; NotVerified as open_request().
    """
    text, request = _request(folder, swarm_id, member)
    statement = request.statement
    if not isinstance(statement, TpmStatement):
        raise Misuse(
            f"{member.name}'s request has no statement of a TPM.",
            remedy="Only keys in a TPM are challenged: make the request anew, where the TPM is.",
        )
    ek, ak = tpm2.parse_public(statement.ek), tpm2.parse_public(statement.ak)
    credential, seed = random[: tpm2.SECRET_BYTES], random[tpm2.SECRET_BYTES :]
    blob, secret = tpm2.make_credential(ek, ak.name, credential, seed=seed)
    made = Challenge(swarm_id, member.name, digest(text), blob, secret, digest(credential))
    line = _line(_CHALLENGE, made)
    write_files(folder, {_kept(member, _SUFFIXES[0]): line})
    (folder / _kept(member, _SUFFIXES[1])).unlink(missing_ok=True)
    return line


def open_challenge(line: bytes) -> Challenge:
    """Parse a challenge's line; NotVerified if it is none."""
    return _read(line, _CHALLENGE, Challenge)


def open_answer(line: bytes) -> Answer:
    """Parse an answer's line; NotVerified if it is none."""
    return _read(line, _ANSWER, Answer)


def answer(line: bytes, credential: bytes) -> bytes:
    """Return the line that answers a challenge. credential: what the TPM found in it."""
    return _line(_ANSWER, Answer(digest(line.rstrip(b"\r\n")), credential))


def check_answer(
    folder: Path,
    swarm_id: str,
    member: Member,
    line: bytes,
    *,
    authorities: list[x509.Certificate],
    now: datetime,
) -> Attested:
    """Keep an answer with the challenge that it answers, and return what it shows.

    authorities: who may vouch for the EK; where there are any, one must. Raises NotVerified.
    """
    text, request = _request(folder, swarm_id, member)
    _check(folder, swarm_id, member, text, line)
    level = Attested.ACTIVATED
    if authorities and isinstance(request.statement, TpmStatement):
        check_certificate(request.statement, authorities, now)
        level = Attested.GENUINE
    write_files(folder, {_kept(member, _SUFFIXES[1]): line})
    return level


def check_level(folder: Path, swarm_id: str, member: Member) -> None:
    """Raise NotVerified where what is kept doesn't show what the draft says of a member's key.

    That an authority vouches for the EK is the word of the operator who said so: here it only must
    have a certificate.
    """
    text, request = _request(folder, swarm_id, member)
    shown = attested(request)
    if member.attested in (Attested.ACTIVATED, Attested.GENUINE):
        _check(folder, swarm_id, member, text, read_file(folder / _kept(member, _SUFFIXES[1])))
        shown = member.attested
        certified = isinstance(request.statement, TpmStatement) and request.statement.certificate
        if shown is Attested.GENUINE and not certified:
            raise NotVerified("its TPM has no certificate.", where=member.name)
    if member.attested not in (Attested.NO, shown):
        raise NotVerified(
            f"the draft calls its key {member.attested.value}; its request shows "
            f"{shown.value or 'nothing'}.",
            where=member.name,
        )


def _check(folder: Path, swarm_id: str, member: Member, text: bytes, line: bytes) -> None:
    path = folder / _kept(member, _SUFFIXES[0])
    if not path.exists():
        raise NotVerified(
            f"{member.name} was not challenged.", where="answer", remedy="roster challenge first."
        )
    asked = read_file(path)
    made, given = open_challenge(asked), open_answer(line)
    if (made.swarm_id, made.name, made.request) != (swarm_id, member.name, digest(text)):
        raise NotVerified(
            "the challenge was for another request.",
            where="answer",
            remedy="Make a new one: roster challenge.",
        )
    if given.challenge != digest(asked.rstrip(b"\r\n")):
        raise NotVerified("it answers another challenge.", where="answer")
    if digest(given.credential) != made.answer:
        raise NotVerified("it is wrong: the key's TPM did not give it.", where="answer")


def _request(folder: Path, swarm_id: str, member: Member) -> tuple[bytes, Request]:
    path = folder / request_file(member.public_key)
    if not path.exists():
        raise NotVerified(f"{path} is missing.", where=member.name)
    text = read_file(path)
    request = open_request(text, swarm_id)
    if (request.name, request.public_key) != (member.name, member.public_key):
        raise NotVerified(f"it is not for {member.name}.", where=str(path))
    return text, request


def _kept(member: Member, suffix: str) -> str:
    return member.drone_id + suffix


def _line(prefix: bytes, record: Record) -> bytes:
    return prefix + base64.b64encode(encode(record)) + b"\n"


def _read(line: bytes, prefix: bytes, form: type[T]) -> T:
    what = prefix.split(b"/")[1].decode()
    if not line.startswith(prefix) or len(line) > _MAX_BYTES:
        raise NotVerified("it is none.", where=what)
    try:
        raw = base64.b64decode(line[len(prefix) :].rstrip(b"\r\n"), validate=True)
        found: T = decode(raw, form, limit=_MAX_BYTES)
    except (PeerFault, binascii.Error) as error:
        raise NotVerified(f"{error}", where=what) from error
    return found
