# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Short forms of sealed messages, from which their exact bytes follow: for links that are narrow.

What all have in common is left out: the envelope's header, of which only the author's place in the
roster and one byte of its key identifier stay; a digest whose message was on the air becomes four
bytes of it, as do sealed messages within messages; a time becomes its last four bytes. Nothing is
signed, judged or believed here: what comes out is as good as what came in, and is verified by
whoever takes it. docs/radio.md has the form.

A message said `alone` refers to nothing that must have been heard but sessions, which are shown
again anyway. What was said once may be repeated so: then whoever missed what it refers to needs no
answer to understand it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress

from swarm_ledger.consensus.messages import Checkpoint, PrePrepare, parse
from swarm_ledger.encoding import DIGEST_HEAD, bytes_head, decode, digest
from swarm_ledger.envelope import MAX_SESSIONS_PER_MEMBER, Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.cose import KID_BYTES, SIGNATURE_BYTES
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.session import Session, domain, open_delegation
from swarm_ledger.signers import Algorithm, algorithm_of

MOST_BYTES = 1 << 17
"""What a short form may grow to; anything larger goes as it is."""

VERBATIM = 0
_PLAIN = 0x80
_KINDS = frozenset(Kind)
_REF = 4
_CHECK = 2
_DEPTH = 3
_LARGE = 600
"""Sealed messages up to that size are remembered, to be referred to."""

_DIGESTS, _RAWS = 4_096, 1_024
_DIGEST_BYTES = 32

# Initial bytes that CBOR has reserved (RFC 8949, 3): they stand for what was left out.
_TIME, _DIGEST, _LITERAL, _NESTED, _HEARD = 0x1C, 0x5C, 0x5D, 0x5E, 0x5F
_U64 = 0x1B
_TIME_SPAN = 1 << 32
_NEAR_MS = 1 << 30

_HEADERS = {
    Algorithm.EDDSA: b"\xd2\x84\x4d\xa2\x01\x27\x04\x48",
    Algorithm.ES256: b"\xd2\x84\x4d\xa2\x01\x26\x04\x48",
}
_HEADER_BYTES = 8
_AFTER_KID = b"\xa0"
_BEFORE_SIGNATURE = b"\x58\x40"
_SEALED_LEAST = 1 + _HEADER_BYTES + KID_BYTES + 2 + 2 + SIGNATURE_BYTES

NOT_HEARD = "not_heard"
"""Why a short form can't be read yet: it refers to what was not heard, or whose key is unknown."""


class Memory:
    """Bytes that were on the air, by the first four of their digest; the oldest are forgotten.

    Two that begin alike are referred to no more: nobody could tell which one is meant.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[bytes, bytes | None] = OrderedDict()

    def put(self, key: bytes, value: bytes) -> None:
        """Remember one more under its digest."""
        place = key[:_REF]
        known = self._held.get(place, value)
        self._held[place] = value if known == value else None
        self._held.move_to_end(place)
        if len(self._held) > self._size:
            self._held.popitem(last=False)

    def get(self, place: bytes) -> bytes:
        """Return what begins so; PeerFault (NOT_HEARD) if that is not known, or not certain."""
        found = self._held.get(place)
        if found is None:
            raise PeerFault(NOT_HEARD, f"refers to {place.hex()}, which was not heard here.")
        return found

    def has(self, key: bytes, value: bytes) -> bool:
        """Whether a reference to it would lead to it."""
        return self._held.get(key[:_REF]) == value


class Names:
    """Who signs with which key: root keys by the rosters, session keys by their delegations.

    Delegations are verified, so that nobody but a member fills its own places.
    """

    def __init__(self, rosters: Callable[[], Iterable[Roster]]) -> None:
        self._rosters = rosters
        self._seen: dict[int, Roster] = {}
        self._by_kid: dict[bytes, tuple[int, Algorithm]] = {}
        self._by_place: dict[tuple[int, int], list[bytes]] = {}
        self._sessions: dict[int, list[bytes]] = {}

    def refresh(self) -> None:
        """Take in rosters that came since."""
        for roster in self._rosters():
            if roster.version in self._seen:
                continue
            self._seen[roster.version] = roster
            for key, member in roster.by_kid.items():
                self._add(key, member.index, algorithm_of(member.public_key))

    def meet(self, delegation: bytes) -> None:
        """Take note of a session's key; whatever is wrong with it is not judged here."""
        self.refresh()
        for roster in reversed(self._seen.values()):
            aad = domain(roster.swarm_id, Kind.SESSION, roster.version)
            with suppress(PeerFault):
                self._take(open_delegation(delegation[1:], roster, aad))
                return

    def _take(self, session: Session) -> None:
        own = self._sessions.setdefault(session.member.index, [])
        if session.kid in self._by_kid:
            return
        if len(own) >= MAX_SESSIONS_PER_MEMBER:
            old = own.pop(0)
            index, _ = self._by_kid.pop(old)
            self._by_place[index, old[0]].remove(old)
        own.append(session.kid)
        self._add(session.kid, session.member.index, Algorithm.EDDSA)

    def _add(self, key: bytes, index: int, algorithm: Algorithm) -> None:
        if key not in self._by_kid and index < 1 << 8:
            self._by_kid[key] = index, algorithm
            self._by_place.setdefault((index, key[0]), []).append(key)

    def place_of(self, key: bytes, header: bytes) -> bytes | None:
        """Return two bytes that stand for a key's header, None if there are none."""
        index, algorithm = self._by_kid.get(key, (-1, Algorithm.EDDSA))
        if index < 0 or len(self._by_place[index, key[0]]) > 1 or header != _HEADERS[algorithm]:
            return None
        return bytes((index, key[0]))

    def header_at(self, place: bytes) -> bytes:
        """Return the header that two bytes stand for; PeerFault (NOT_HEARD) if that is unknown."""
        found = self._by_place.get((place[0], place[1]), ())
        if len(found) != 1:
            raise PeerFault(NOT_HEARD, f"a key of member {place[0]} that was not shown here.")
        return _HEADERS[self._by_kid[found[0]][1]] + found[0]


class Shorthand:
    """Makes short forms of what one drone says, and reads others'.

    rosters: those that the drone has to do with; asked when something new is to be read. learn()
    is to be told all that was said or heard, long or short.
    """

    def __init__(self, rosters: Callable[[], Iterable[Roster]]) -> None:
        self._names = Names(rosters)
        self._digests, self._raws = Memory(_DIGESTS), Memory(_RAWS)

    def learn(self, raw: bytes) -> None:
        """Remember a message that was on the air, whoever said it, and what it names."""
        key = digest(raw)
        self._digests.put(key, key)
        if len(raw) <= _LARGE:
            self._raws.put(key, raw)
        kind = raw[0] if raw else 0
        if kind == Kind.SESSION:
            self._names.meet(raw)
        elif kind == Kind.CARRIED:
            with suppress(PeerFault):
                parts: tuple[bytes, bytes] = decode(raw[1:], tuple[bytes, bytes], limit=MOST_BYTES)
                for part in parts:
                    if part[:1] != raw[:1]:
                        self.learn(part)
        elif (sealed := _split(raw)) is not None:
            self._learn_payload(kind, sealed[2])

    def _learn_payload(self, kind: int, payload: bytes) -> None:
        if kind == Kind.QUESTION:
            key = digest(payload)
            self._digests.put(key, key)
        elif kind == Kind.CONSENSUS:
            with suppress(PeerFault):
                said = parse(payload)
                if isinstance(said, PrePrepare | Checkpoint):
                    key = said.batch.digest() if isinstance(said, PrePrepare) else said.root
                    self._digests.put(key, key)

    # writing

    def shorten(self, raw: bytes, now_ms: int, *, alone: bool = False) -> bytes:
        """Return the shortest form that is known here (POSIX ms); at worst a byte longer."""
        self._names.refresh()
        with suppress(PeerFault):
            if len(raw) <= MOST_BYTES:
                form = self._form(raw, now_ms, alone, _DEPTH)
                short = form[:1] + digest(raw)[:_CHECK] + form[1:]
                if len(short) <= len(raw) and self.expand(short, now_ms) == raw:
                    return short
        return bytes([VERBATIM]) + raw

    def _form(self, raw: bytes, now_ms: int, alone: bool, depth: int) -> bytes:
        sealed = _split(raw)
        if sealed is not None:
            header, key, payload, signature = sealed
            place = self._names.place_of(key, header)
            if place is not None:
                shrunk = self._shrink(payload, now_ms, alone, depth)
                return raw[:1] + place + shrunk + signature
        if not raw or raw[0] not in _KINDS:
            raise PeerFault("malformed", "no kind of message.")
        return bytes([raw[0] | _PLAIN]) + self._shrink(raw[1:], now_ms, alone, depth)

    def _shrink(self, body: bytes, now_ms: int, alone: bool, depth: int) -> bytes:
        parts: list[bytes] = []
        at = 0
        while at < len(body):
            head, start, end = _item(body, at)
            content = body[start:end]
            if head == _U64 and abs(int.from_bytes(content, "big") - now_ms) < _NEAR_MS:
                parts.append(bytes([_TIME]) + content[-4:])
            elif head >> 5 != 2:  # what is no byte string stays as it is
                parts.append(body[at:end])
            elif len(content) == _DIGEST_BYTES:
                parts.append(self._digest(content, alone))
            else:
                parts.append(self._nested(content, now_ms, alone, depth) or bytes(body[at:end]))
            at = end
        return b"".join(parts)

    def _digest(self, content: bytes, alone: bool) -> bytes:
        if not alone and self._digests.has(content, content):
            return bytes([_DIGEST]) + content[:_REF]
        return bytes([_LITERAL]) + content

    def _nested(self, content: bytes, now_ms: int, alone: bool, depth: int) -> bytes | None:
        if len(content) < _SEALED_LEAST or depth == 0:
            return None
        key = digest(content)
        if (not alone or content[0] == Kind.SESSION) and self._raws.has(key, content):
            return bytes([_HEARD]) + key[:_REF]
        with suppress(PeerFault):
            form = self._form(content, now_ms, alone, depth - 1)
            nested = bytes([_NESTED]) + _varint(len(form)) + form
            if len(nested) < len(content):
                return nested
        return None

    # reading

    def expand(self, short: bytes, now_ms: int) -> bytes:
        """Return the message that a short form stands for, not yet verified (POSIX ms).

        Raises PeerFault: "malformed", "oversize", NOT_HEARD (it may be readable later).
        """
        if not short:
            raise PeerFault("malformed", "an empty short form.")
        if short[0] == VERBATIM:
            return short[1:]
        self._names.refresh()
        check, form = short[1 : 1 + _CHECK], short[:1] + short[1 + _CHECK :]
        raw = self._expand(form, now_ms, [MOST_BYTES], _DEPTH)
        if digest(raw)[:_CHECK] != check:
            raise PeerFault(NOT_HEARD, "refers to something else than what was heard here.")
        return raw

    def _expand(self, form: bytes, now_ms: int, left: list[int], depth: int) -> bytes:
        kind = form[0] if form else 0
        if kind & ~_PLAIN not in _KINDS:
            raise PeerFault("malformed", "no short form of any kind.")
        if kind & _PLAIN:
            return bytes([kind & ~_PLAIN]) + self._grow(form[1:], now_ms, left, depth)
        if len(form) < 3 + SIGNATURE_BYTES:
            raise PeerFault("malformed", "a short form is cut off.")
        header = self._names.header_at(form[1:3])
        payload = self._grow(form[3:-SIGNATURE_BYTES], now_ms, left, depth)
        front = form[:1] + header + _AFTER_KID + bytes_head(len(payload))
        return front + payload + _BEFORE_SIGNATURE + form[-SIGNATURE_BYTES:]

    def _grow(self, body: bytes, now_ms: int, left: list[int], depth: int) -> bytes:
        parts: list[bytes] = []
        at = 0
        while at < len(body):
            part, at = self._read(body, at, now_ms, left, depth)
            left[0] -= len(part)
            if left[0] < 0:
                raise PeerFault("oversize", f"a short form of more than {MOST_BYTES} bytes.")
            parts.append(part)
        return b"".join(parts)

    def _read(
        self, body: bytes, at: int, now_ms: int, left: list[int], depth: int
    ) -> tuple[bytes, int]:
        """Return what stands at a place, written out, and where the next thing is."""
        head, rest = body[at], at + 1
        if head == _TIME:
            return _time(_take(body, rest, 4), now_ms), rest + 4
        if head == _DIGEST:
            return DIGEST_HEAD + self._digests.get(_take(body, rest, _REF)), rest + _REF
        if head == _LITERAL:
            content = _take(body, rest, _DIGEST_BYTES)
            return DIGEST_HEAD + content, rest + _DIGEST_BYTES
        if head == _HEARD:
            content = self._raws.get(_take(body, rest, _REF))
            return bytes_head(len(content)) + content, rest + _REF
        if head == _NESTED:
            if depth == 0:
                raise PeerFault("malformed", "a short form is nested too deeply.")
            size, rest = _read_varint(body, rest)
            content = self._expand(_take(body, rest, size), now_ms, left, depth - 1)
            if content[0] == Kind.SESSION:
                self._names.meet(content)  # what is carried along with it is read by it
            return bytes_head(len(content)) + content, rest + size
        _, _, end = _item(body, at)
        return body[at:end], end


def _split(raw: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
    """Cut a sealed message of the usual shape: header, key identifier, payload, signature."""
    if len(raw) < _SEALED_LEAST or raw[0] not in _KINDS:
        return None
    header, kid_end = raw[1 : 1 + _HEADER_BYTES], 1 + _HEADER_BYTES + KID_BYTES
    end = len(raw) - SIGNATURE_BYTES - len(_BEFORE_SIGNATURE)
    usual = header in _HEADERS.values() and raw[kid_end : kid_end + 1] == _AFTER_KID
    if not usual or raw[end:-SIGNATURE_BYTES] != _BEFORE_SIGNATURE:
        return None
    with suppress(PeerFault):
        head, start, stop = _item(raw, kid_end + 1)
        if head >> 5 == 2 and stop == end and bytes_head(end - start) == raw[kid_end + 1 : start]:
            return header, raw[1 + _HEADER_BYTES : kid_end], raw[start:end], raw[-SIGNATURE_BYTES:]
    return None


def _item(body: bytes, at: int) -> tuple[int, int, int]:
    """Return a CBOR item's first byte, where its content begins and where it ends.

    An array's or map's items are items of their own. PeerFault where there is none.
    """
    head = body[at]
    major, info = head >> 5, head & 0x1F
    start, value = at + 1, info
    if info >= 28:
        raise PeerFault("malformed", "no CBOR that is used here.")
    if info >= 24:
        size = 1 << (info - 24)
        value = int.from_bytes(_take(body, start, size), "big")
        if major not in (2, 3):
            return head, start, start + size
        start += size
    if major in (2, 3):
        _take(body, start, value)
        return head, start, start + value
    return head, start, start


def _take(body: bytes, at: int, size: int) -> bytes:
    if at + size > len(body):
        raise PeerFault("malformed", "a short form is cut off.")
    return body[at : at + size]


def _time(low: bytes, now_ms: int) -> bytes:
    """Return the encoding of the time nearest to now that ends so."""
    ahead = (int.from_bytes(low, "big") - now_ms + _TIME_SPAN // 2) % _TIME_SPAN
    value = now_ms + ahead - _TIME_SPAN // 2
    if value < _TIME_SPAN:
        raise PeerFault("malformed", "a time before any that is shortened.")
    return bytes([_U64]) + value.to_bytes(8, "big")


def _varint(value: int) -> bytes:
    """Return a length in 1 to 3 bytes of seven bits each, the low ones last."""
    if value >= 1 << 21:
        raise Misuse(f"no short form is {value} long.")
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 3):
        byte = _take(body, place, 1)[0]
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, place + 1
    raise PeerFault("malformed", "a length that never ends.")
