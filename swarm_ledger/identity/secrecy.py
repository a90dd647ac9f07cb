# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Secrets of a swarm: each sender's own, handed to the members of one roster version by HPKE.

A sender draws its secret anew at each start and for each roster version, so counters begin at 0
with a key that never was, whatever a crash forgot. Who is handed it reads what that sender says;
that it was the sender who said it, only the signature inside tells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Meta

from swarm_ledger.encoding import Record, decode, encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.encrypt0 import IV_BYTES, KEY_BYTES, Cipher, Encrypt0
from swarm_ledger.identity.roster import MAX_MEMBERS, Roster

SECRET_BYTES = 32
SHARE_BYTES = 32 + SECRET_BYTES + 16
"""Of HPKE: the ephemeral public key, then the secret with its tag."""

MAX_SHARES_BYTES = 1 << 14
KEPT = 3
"""Secrets kept of one sender: messages under the one before may still be under way."""

MAX_MESSAGES = 1 << 20
MAX_BYTES = 1 << 32
"""What one secret serves for, far below what the cipher and the counter allow."""

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_KEY_ID_BYTES = 32

_Place = Annotated[int, Meta(ge=0, lt=MAX_MEMBERS)]
_Number = Annotated[int, Meta(ge=0, lt=2**32)]
_Share = Annotated[bytes, Meta(min_length=SHARE_BYTES, max_length=SHARE_BYTES)]
ManyShares = Annotated[tuple[tuple[_Place, _Share], ...], Meta(max_length=MAX_MEMBERS)]
"""Shares of one secret, each behind its receiver's index."""


class KeyId(Record, frozen=True):
    """Names a secret. version: of the roster; sender: whose, by its index in there.

    run: a number that grows with each start of the sender; number: grows with each of its secrets
    since, of all versions.
    """

    version: Annotated[int, Meta(ge=1, lt=2**32)]
    sender: _Place
    run: _Number
    number: _Number

    @property
    def order(self) -> tuple[int, int]:
        """Of two secrets of one sender in one version, the later one has more."""
        return self.run, self.number


class Shares(Record, frozen=True):
    """A secret on its way: to each member its share, by ascending index, to some or all."""

    key: KeyId
    shares: ManyShares


class Lacking(Record, frozen=True):
    """Asks a member, by its index, for the secret under which it speaks."""

    sender: _Place


def readers(roster: Roster) -> dict[int, bytes]:
    """Return the HPKE keys (X25519, 32 bytes) of all who may read under a roster, by index."""
    return {m.index: m.channel.hpke for m in roster.members if m.roles and m.channel}


def parse_key_id(kid: bytes) -> KeyId:
    """Parse the key identifier in a ciphertext's header; PeerFault("malformed")."""
    found: KeyId = decode(kid, KeyId, limit=_KEY_ID_BYTES)
    return found


def parse_shares(payload: bytes) -> Shares:
    """Parse outside bytes; PeerFault("malformed", "oversize")."""
    found: Shares = decode(payload, Shares, limit=MAX_SHARES_BYTES)
    check_order(found.shares)
    return found


def check_order(shares: ManyShares) -> None:
    """Raise PeerFault("malformed") unless each member has one share, by ascending index."""
    places = [place for place, _ in shares]
    if places != sorted(set(places)):
        raise PeerFault("malformed", "shares are ordered by member, one for each.")


def parse_lacking(payload: bytes) -> Lacking:
    """Parse outside bytes; PeerFault("malformed", "oversize")."""
    found: Lacking = decode(payload, Lacking, limit=8)
    return found


class Secret:
    """One secret, and the key that follows from it in one swarm for one key identifier."""

    def __init__(self, swarm_id: str, key_id: KeyId, secret: bytes) -> None:
        self.key_id, self.kid, self._secret = key_id, encode(key_id), secret
        self._swarm_id = swarm_id
        info = encode(["swarm_ledger/v1 secrecy", swarm_id, self.kid])
        length = KEY_BYTES + IV_BYTES
        keys = HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret)
        self._cipher = Cipher(keys[:KEY_BYTES], keys[KEY_BYTES:])
        self._aad = encode(["swarm_ledger/v1 secret", swarm_id, key_id.version, key_id.sender])
        self._count = self._bytes = 0

    @property
    def worn(self) -> bool:
        """Whether it has served as long as one secret may."""
        return self._count >= MAX_MESSAGES or self._bytes >= MAX_BYTES

    def conceal(self, data: bytes) -> bytes:
        """Encrypt the sender's next message; Misuse once the secret is worn."""
        if self.worn:
            raise Misuse("this secret has served long enough: draw another one.")
        count, self._count = self._count, self._count + 1
        self._bytes += len(data)
        return self._cipher.seal(self.kid, count, data, self._aad)

    def reveal(self, message: Encrypt0) -> bytes:
        """Decrypt; PeerFault("bad_tag") for what was not encrypted with it in this place."""
        return self._cipher.open(message, self._aad)

    def share(self, receiver: int, public_key: bytes) -> bytes:
        """Return the share of one member, by its index and its HPKE key (X25519, 32 bytes)."""
        key = X25519PublicKey.from_public_bytes(public_key)
        return _SUITE.encrypt(self._secret, key, _info(self._swarm_id, self.key_id, receiver))


def open_share(
    share: bytes, private_key: X25519PrivateKey, swarm_id: str, key_id: KeyId, receiver: int
) -> Secret:
    """Take a secret out of our share of it; PeerFault("bad_share") if it is not so."""
    try:
        secret = _SUITE.decrypt(share, private_key, _info(swarm_id, key_id, receiver))
    except InvalidTag as error:
        raise PeerFault("bad_share", "a share was not made so for us.") from error
    if len(secret) != SECRET_BYTES:
        raise PeerFault("bad_share", f"a secret has {SECRET_BYTES} bytes.")
    return Secret(swarm_id, key_id, secret)


class Circle:
    """Who shares secrets under one roster version, as one of them.

    me: our index; members: the HPKE keys (X25519, 32 bytes) of all who may read, by index; draw:
    returns that many random bytes. names: run and number of each secret that it draws, each later
    than all before it.
    """

    def __init__(
        self,
        swarm_id: str,
        version: int,
        me: int,
        members: Mapping[int, bytes],
        private_key: bytes,
        *,
        names: Iterator[tuple[int, int]],
        draw: Callable[[int], bytes],
    ) -> None:
        self.version, self.me, self.members = version, me, members
        self._swarm_id, self._names, self._draw = swarm_id, names, draw
        self._private = X25519PrivateKey.from_private_bytes(private_key)
        self._own = self._drawn()
        self._shares: dict[int, bytes] = {}
        self._held: dict[int, list[Secret]] = {}

    def _drawn(self) -> Secret:
        key_id = KeyId(self.version, self.me, *next(self._names))
        return Secret(self._swarm_id, key_id, self._draw(SECRET_BYTES))

    @property
    def key_id(self) -> KeyId:
        """Under which of our secrets we speak."""
        return self._own.key_id

    def conceal(self, data: bytes) -> bytes:
        """Encrypt a message to all members, with the next secret if this one is worn."""
        if self._own.worn:
            self._own, self._shares = self._drawn(), {}
        return self._own.conceal(data)

    def hand_out(self, to: Collection[int] | None = None) -> bytes:
        """Return our secret for all other members, or some: the payload of a Kind.SHARES.

        Each share is computed once: whoever asks again costs no more.
        """
        for index in self.members if to is None else to:
            if index in self.members and index != self.me and index not in self._shares:
                self._shares[index] = self._own.share(index, self.members[index])
        chosen = [
            (index, share)
            for index, share in sorted(self._shares.items())
            if to is None or index in to
        ]
        return encode(Shares(self._own.key_id, tuple(chosen)))

    def take(self, author: int, shares: Shares) -> bool:
        """Take in what a member handed out; False if there is nothing new in it for us.

        Raises PeerFault: "malformed" (another's secret), "stale_key" (older than one that it
        handed out), "bad_share".
        """
        key_id = shares.key
        if (key_id.version, key_id.sender) != (self.version, author):
            raise PeerFault("malformed", f"{author} hands out a secret that is not its own.")
        share = dict(shares.shares).get(self.me)
        if share is None or author == self.me:
            return False
        held = self._held.setdefault(author, [])
        if any(secret.key_id == key_id for secret in held):
            return False
        if held and key_id.order < held[-1].key_id.order:
            raise PeerFault("stale_key", f"{author} handed out a later secret than this.")
        held.append(self.unwrap(key_id, share))
        del held[:-KEPT]
        return True

    def unwrap(self, key_id: KeyId, share: bytes) -> Secret:
        """Take a secret out of our share of it; PeerFault("bad_share") if it is not so."""
        return open_share(share, self._private, self._swarm_id, key_id, self.me)

    def reveal(self, key_id: KeyId, message: Encrypt0) -> bytes:
        """Decrypt a member's message.

        Raises PeerFault: "no_key" (we were not handed that secret yet), "stale_key" (not any
        more), "bad_tag".
        """
        held = self._held.get(key_id.sender, ())
        for secret in held:
            if secret.key_id == key_id:
                return secret.reveal(message)
        if held and key_id.order < held[-1].key_id.order:
            raise PeerFault("stale_key", f"{key_id.sender} has had another secret since.")
        raise PeerFault("no_key", f"the secret of {key_id.sender} is not here.")


def _info(swarm_id: str, key_id: KeyId, receiver: int) -> bytes:
    return encode(["swarm_ledger/v1 share", swarm_id, encode(key_id), receiver])
