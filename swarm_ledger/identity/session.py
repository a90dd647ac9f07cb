# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Fast keys from slow hardware: the root key delegates to a session key, once.

A delegation is a CBOR Web Token (RFC 8392) whose `cnf` claim holds the session's public key
(RFC 8747), as a COSE_Sign1 by the root key. Swarm, kind and epoch are bound by external_aad. A
private claim holds the session key's own signature, so that nobody claims a key that it has not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from swarm_ledger.encoding import decode, encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity import cose, ed25519
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.signers import Signer

MAX_DELEGATION_BYTES = 512
MAX_SESSION_SECONDS = 7 * 86_400

_ISS, _EXP, _NBF, _CNF = 1, 4, 5, 8
_POSSESSION = -65_537
"""In the range that RFC 8392 leaves to private use."""

_COSE_KEY = 1
_KTY, _CRV, _X = 1, -1, -2
_OKP, _ED25519 = 1, 6


@dataclass(frozen=True, slots=True)
class Session:
    """A verified delegation: this session key speaks for that member, between these times.

    not_before, expires: POSIX seconds. raw: the token, to pass on and to put on the ledger.
    """

    member: Member
    public_key: bytes
    not_before: int
    expires: int
    raw: bytes
    kid: bytes = field(init=False, compare=False)
    """The key identifier in the envelopes that this session signs."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kid", cose.kid(self.public_key))

    def valid_at(self, now_s: int) -> bool:
        """Whether the session may sign at that time (POSIX seconds)."""
        return self.not_before <= now_s < self.expires

    def check_not_over(self, now_s: int) -> None:
        """Raise PeerFault "stale_session" if it ended before that time (POSIX seconds)."""
        if now_s >= self.expires:
            raise PeerFault("stale_session", f"a session of {self.member.name} is over.")


@lru_cache(maxsize=256)
def domain(swarm_id: str, kind: int, epoch: int) -> bytes:
    """Return the external_aad that keeps a signature from serving twice (RFC 9052, 4.4)."""
    return encode(["swarm_ledger/v1", swarm_id, kind, epoch])


def delegate(root: Signer, session: Signer, aad: bytes, *, not_before: int, expires: int) -> bytes:
    """Return a token by which `root` lets the key `session` sign for it.

    aad: domain() of the delegation. Times in POSIX seconds; Misuse for an empty span, or one over
    MAX_SESSION_SECONDS.
    """
    if not 0 <= not_before < expires <= not_before + MAX_SESSION_SECONDS:
        raise Misuse(f"a session lasts from 1 to {MAX_SESSION_SECONDS} s.")
    issuer = cose.kid(root.public_key)
    claims = {
        _ISS: issuer,
        _EXP: expires,
        _NBF: not_before,
        _CNF: {_COSE_KEY: {_KTY: _OKP, _CRV: _ED25519, _X: session.public_key}},
        _POSSESSION: session.sign(_possession(issuer, not_before, expires, aad)),
    }
    return cose.sign1(root, encode(claims), aad)


def open_delegation(raw: bytes, roster: Roster, aad: bytes) -> Session:
    """Verify a token against the roster's root keys.

    Raises PeerFault: "malformed", "not_a_member", "bad_signature", "stolen_session".
    """
    token = cose.parse1(raw, limit=MAX_DELEGATION_BYTES)
    member = roster.by_kid.get(token.kid)
    if member is None or not member.roles:
        raise PeerFault("not_a_member", f"no member has the root key {token.kid.hex()}.")
    cose.verify1(token, member.public_key, aad)
    try:
        claims: dict[int, Any] = decode(token.payload, dict[int, Any], limit=MAX_DELEGATION_BYTES)
        key = claims[_CNF][_COSE_KEY]
        public_key, not_before, expires = key[_X], claims[_NBF], claims[_EXP]
        well_formed = (
            claims.keys() == {_ISS, _EXP, _NBF, _CNF, _POSSESSION}
            and claims[_CNF].keys() == {_COSE_KEY}
            and claims[_ISS] == token.kid
            and key == {_KTY: _OKP, _CRV: _ED25519, _X: public_key}
            and isinstance(public_key, bytes)
            and len(public_key) == 32
            and type(not_before) is int
            and type(expires) is int
            and 0 <= not_before < expires <= not_before + MAX_SESSION_SECONDS
            and isinstance(claims[_POSSESSION], bytes)
        )
    except (AttributeError, LookupError, TypeError) as error:
        raise PeerFault("malformed", "the delegation lacks a claim.") from error
    if not well_formed:
        raise PeerFault("malformed", "the delegation's claims are not as they must be.")
    possession = _possession(token.kid, not_before, expires, aad)
    if not ed25519.verify(public_key, possession, claims[_POSSESSION]):
        raise PeerFault("stolen_session", f"{member.name} does not hold the key that it claims.")
    return Session(member, public_key, not_before, expires, raw)


def _possession(issuer: bytes, not_before: int, expires: int, aad: bytes) -> bytes:
    return encode(["swarm_ledger/v1 possession", aad, issuer, not_before, expires])
