# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_swarm import NOW, Swarm
from nacl.signing import SigningKey

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity import ed25519
from swarm_ledger.ledger.checkpoint import (
    Checkpoint,
    assemble,
    cosign,
    verify_cosignature,
)
from swarm_ledger.ledger.merkle import EMPTY_ROOT
from swarm_ledger.ledger.note import (
    COSIGNATURE_V1,
    ED25519,
    MAX_NOTE_SIZE,
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    NoteVerifier,
    cosigned_message,
    key_id,
    key_ring,
)

KEY = SigningKey(bytes(32))
PUBLIC = bytes(KEY.verify_key)
TEXT = "first line\n\nthird line\n"
SWARM = Swarm()
HEAD = Checkpoint(SWARM.origin, 5, bytes(range(32)))


def sign(message: bytes) -> bytes:
    return KEY.sign(message).signature


def verifier(name: str = "example.org/key", kind: int = ED25519) -> NoteVerifier:
    return NoteVerifier(name, kind, PUBLIC)


def signed(text: str = TEXT, name: str = "example.org/key") -> Note:
    return Note(text, (verifier(name).sign(sign, text),))


def test_note_round_trip_and_verification() -> None:
    note = signed()
    again = Note.parse(note.encode())
    assert again == note
    assert again.text == TEXT  # empty lines belong to the text; the last one ends it
    assert again.verify(key_ring([verifier()])) == (verifier(),)


@given(st.text(max_size=40))
def test_parse_never_accepts_two_forms_of_one_note(junk: str) -> None:
    for data in (
        junk.encode("utf-8", "ignore"),
        signed().encode() + junk.encode("utf-8", "ignore"),
    ):
        try:
            note = Note.parse(data)
        except NotVerified:
            continue
        assert note.encode() == data


BLOB = base64.b64encode(b"idid" + bytes(64)).decode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n\n",
        f"text\n— a {BLOB}\n".encode(),
        f"text\n\n— a {BLOB}".encode(),
        f"text\n\n- a {BLOB}\n".encode(),
        f"text\n\n—  a {BLOB}\n".encode(),
        f"text\n\n— a  {BLOB}\n".encode(),
        f"text\n\n— a {BLOB} \n".encode(),
        f"text\n\n— a {BLOB} x\n".encode(),
        f"text\n\n—  {BLOB}\n".encode(),
        f"text\n\n— a+b {BLOB}\n".encode(),
        f"text\n\n— a\u00a0b {BLOB}\n".encode(),
        f"text\n\n— a\u2028b {BLOB}\n".encode(),
        f"text\n\n— a {BLOB[:-1]}\n".encode(),
        f"text\n\n— a {BLOB[:-2]}B=\n".encode(),  # the same bytes with padding bits set
        f"text\n\n— a {BLOB[:8]}\u00e9{BLOB[8:]}\n".encode(),
        f"text\n\n— a {BLOB[:-4]}\t\n".encode(),
        b"text\n\n\xe2\x80\x94 a aWRpZA==\n",  # a key id and no signature
        f"te\rxt\n\n— a {BLOB}\n".encode(),
        f"te\x00xt\n\n— a {BLOB}\n".encode(),
        b"te\xffxt\n\n" + f"— a {BLOB}\n".encode(),
        b"t" * MAX_NOTE_SIZE + f"\n\n— a {BLOB}\n".encode(),
        ("text\n\n" + f"— a {BLOB}\n" * (MAX_SIGNATURES + 1)).encode(),
    ],
)
def test_malformed_notes_are_refused(data: bytes) -> None:
    with pytest.raises(NotVerified):
        Note.parse(data)


def test_as_many_signatures_as_the_format_demands_are_accepted() -> None:
    text = "text\n"
    keys = [SigningKey(bytes([i]) * 32) for i in range(16)]
    known = [NoteVerifier(f"k{i}", ED25519, bytes(k.verify_key)) for i, k in enumerate(keys)]
    lines = tuple(
        v.sign(lambda m, k=k: k.sign(m).signature, text) for v, k in zip(known, keys, strict=True)
    )
    assert Note.parse(Note(text, lines).encode()).verify(key_ring(known)) == tuple(known)


def test_unknown_keys_are_ignored_but_known_ones_must_be_right() -> None:
    line = signed().signatures[0]
    other_id = NoteSignature(line.name, b"\x00\x00\x00\x00", line.signature)
    other_name = NoteSignature("example.org/other", line.key_id, line.signature)
    bad = NoteSignature(line.name, line.key_id, bytes(64))
    ring = key_ring([verifier()])
    strangers = (other_id, other_name, other_id)
    assert Note(TEXT, (*strangers, line)).verify(ring) == (verifier(),)
    with pytest.raises(NotVerified, match="no known key"):
        Note(TEXT, strangers).verify(ring)
    with pytest.raises(NotVerified, match=r"example\.org/key.*not this key's"):
        Note(TEXT, (*strangers, bad)).verify(ring)
    with pytest.raises(NotVerified, match="not this key's"):
        Note(TEXT + "x\n", (line,)).verify(ring)
    with pytest.raises(NotVerified, match="twice"):
        Note(TEXT, (line, line)).verify(ring)


def test_one_bad_line_of_a_known_key_spoils_good_ones() -> None:
    second = NoteVerifier("second", ED25519, SWARM.public["drone_2"])
    good = signed().signatures[0]
    bad = NoteSignature("second", second.key_id, bytes(64))
    with pytest.raises(NotVerified, match="second"):
        Note(TEXT, (good, bad)).verify(key_ring([verifier(), second]))


@pytest.mark.parametrize("kind", [ED25519, COSIGNATURE_V1])
def test_vkey_round_trip(kind: int) -> None:
    key = verifier(kind=kind)
    assert NoteVerifier.from_vkey(key.vkey) == key
    assert key.vkey.startswith(f"example.org/key+{key.key_id.hex()}+")


GOOD = verifier().vkey


@pytest.mark.parametrize(
    ("vkey", "says"),
    [
        ("", "not a verifier key"),
        ("name", "not a verifier key"),
        ("name+00000000", "not a verifier key"),
        ("name+00000000+", "empty"),
        ("name+00000000+!!!!", "base64"),
        (GOOD.replace("key+", "kez+"), "states the id"),
        (GOOD.replace(GOOD.split("+")[1], GOOD.split("+")[1].upper()), "states the id"),
        ("+" + GOOD.split("+", 1)[1], "key name"),
        ("a b+" + GOOD.split("+", 1)[1], "key name"),
        (GOOD + "AA", "base64"),
        ("n+00000000+" + base64.b64encode(b"\x01" + bytes(31)).decode(), "32 bytes"),
        ("n+00000000+" + base64.b64encode(b"\x06" + bytes(32)).decode(), "0x06"),
    ],
)
def test_bad_vkeys_are_misuse(vkey: str, says: str) -> None:
    with pytest.raises(Misuse, match=says):
        NoteVerifier.from_vkey(vkey)


def test_key_ids_differ_by_type_and_two_keys_with_one_id_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert key_id("n", ED25519, PUBLIC) != key_id("n", COSIGNATURE_V1, PUBLIC)
    same = [verifier(), verifier()]
    assert len(key_ring(same)) == 1
    monkeypatch.setattr("swarm_ledger.ledger.note.key_id", lambda *_: b"same")
    ours, other = verifier(), NoteVerifier(verifier().name, ED25519, bytes(32))
    for ring in (key_ring([ours, other]), key_ring([other, ours])):
        note = Note(TEXT, (ours.sign(sign, TEXT),))
        assert note.verify(ring) == (ours,)
        with pytest.raises(NotVerified, match="not this key's signature"):
            Note(TEXT + "more\n", note.signatures).verify(ring)


def test_signing_with_another_key_is_found_at_once() -> None:
    with pytest.raises(Misuse, match="not the one"):
        NoteVerifier("n", ED25519, SWARM.public["drone_1"]).sign(sign, TEXT)
    with pytest.raises(Misuse, match="time"):
        verifier(kind=COSIGNATURE_V1).sign(sign, TEXT, -1)


def test_ed25519_is_strict() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    message = b"message"
    good = sign(message)
    assert ed25519.verify(PUBLIC, message, good)
    s = int.from_bytes(good[32:], "little")
    malleable = good[:32] + (s + order).to_bytes(32, "little")
    small_order = b"\x01" + bytes(31)
    assert not ed25519.verify(PUBLIC, message, malleable)
    assert not ed25519.verify(small_order, message, small_order + bytes(32))
    assert not ed25519.verify(PUBLIC, message, good[:63])
    assert not ed25519.verify(PUBLIC, message, good + b"\x00")
    assert not ed25519.verify(PUBLIC[:31], message, good)
    assert not ed25519.verify(PUBLIC, message + b"x", good)


# checkpoints and cosignatures


def test_checkpoint_text_is_exact() -> None:
    assert HEAD.text == ("swarm.example/test\n5\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    assert Checkpoint.parse(HEAD.text) == HEAD
    extended = Checkpoint(HEAD.origin, 5, HEAD.root, ("one", "two"))
    assert Checkpoint.parse(extended.text) == extended
    assert extended.text == HEAD.text + "one\ntwo\n"
    assert Checkpoint.parse(Checkpoint("o", 0, EMPTY_ROOT).text).size == 0


ROOT = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n5\n",
        f"o\n5\n{ROOT}",
        f"\n5\n{ROOT}\n",
        f"o\n05\n{ROOT}\n",
        f"o\n+5\n{ROOT}\n",
        f"o\n-5\n{ROOT}\n",
        f"o\n5 \n{ROOT}\n",
        f"o\n5_0\n{ROOT}\n",
        f"o\n٥\n{ROOT}\n",
        f"o\n\n{ROOT}\n",
        f"o\n{2**63}\n{ROOT}\n",
        f"o\n0\n{ROOT}\n",
        f"o\n5\n{ROOT[:-1]}\n",
        f"o\n5\n{ROOT[:-4]}\n",
        f"o\n5\n{ROOT}\n\n",
        f"o\n5\n{ROOT}\n\nextension\n",
        f"o\n5\n{ROOT}\nextension",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(NotVerified):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 5, bytes(32), ()),
        ("a\nb", 5, bytes(32), ()),
        ("a", -1, bytes(32), ()),
        ("a", 2**63, bytes(32), ()),
        ("a", 5, bytes(31), ()),
        ("a", 0, bytes(32), ()),
        ("a", 5, bytes(32), ("",)),
    ],
)
def test_impossible_checkpoints_are_misuse(
    origin: str, size: int, root: bytes, extensions: tuple[str, ...]
) -> None:
    with pytest.raises(Misuse):
        Checkpoint(origin, size, root, extensions)


def test_cosignature_signs_header_time_and_the_whole_text() -> None:
    messages: list[bytes] = []

    def spy(message: bytes) -> bytes:
        messages.append(message)
        return SWARM.sign("drone_2")(message)

    key = SWARM.witness("drone_2")
    line = cosign(HEAD, key, spy, NOW)
    assert messages == [f"cosignature/v1\ntime {NOW}\n{HEAD.text}".encode()]
    assert line.signature[:8] == NOW.to_bytes(8, "big")
    assert len(line.signature) == 72
    assert line.name == "swarm.example/test/drone_2"
    assert verify_cosignature(HEAD, key, line) == line.time == NOW


def test_cosignatures_of_other_times_texts_and_keys_are_refused() -> None:
    key, line = SWARM.witness("drone_2"), SWARM.cosignature(HEAD, "drone_2")
    later = (NOW + 1).to_bytes(8, "big") + line.signature[8:]
    beyond = (2**63).to_bytes(8, "big")
    beyond_signature = SWARM.sign("drone_2")(cosigned_message(HEAD.text, 2**63))
    wrong = [
        NoteSignature(line.name, line.key_id, later),
        NoteSignature(line.name, line.key_id, beyond + beyond_signature),
        NoteSignature(line.name, line.key_id, line.signature[8:]),
        NoteSignature(line.name, line.key_id, b"\x00"),
        NoteSignature(line.name, bytes(4), line.signature),
        SWARM.cosignature(HEAD, "drone_3"),
        SWARM.log_line(HEAD, "drone_2"),
    ]
    for bad in wrong:
        with pytest.raises(NotVerified, match="drone_2"):
            verify_cosignature(HEAD, key, bad)
    other = Checkpoint(HEAD.origin, 6, HEAD.root)
    with pytest.raises(NotVerified, match="size 6"):
        verify_cosignature(other, key, line)


def test_a_log_signature_never_serves_as_a_cosignature() -> None:
    log = NoteVerifier(HEAD.origin, ED25519, SWARM.public["drone_1"])
    with pytest.raises(Misuse, match="cosignatures"):
        cosign(HEAD, log, SWARM.sign("drone_1"), NOW)
    with pytest.raises(NotVerified):
        verify_cosignature(HEAD, log, SWARM.log_line(HEAD))


def test_a_certificate_has_exactly_a_quorum_sorted_by_name() -> None:
    certificate = SWARM.certificate(HEAD, ["drone_4", "drone_2", "drone_3", "drone_1"])
    assert [line.name for line in certificate.note.signatures] == [
        "swarm.example/test",
        *(f"swarm.example/test/drone_{i}" for i in (1, 2, 3)),
    ]
    assert certificate.encode() == SWARM.certificate(HEAD).encode()
    assert SWARM.policy.check(certificate.encode()) == HEAD


def test_certificates_that_cannot_be_assembled_are_misuse() -> None:
    lines = [SWARM.cosignature(HEAD, name) for name in SWARM.names]
    with pytest.raises(Misuse, match="not a quorum"):
        assemble(HEAD, SWARM.log_line(HEAD), lines[:2], 3)
    with pytest.raises(Misuse, match=r"Two cosignatures of .*drone_1"):
        assemble(HEAD, SWARM.log_line(HEAD), [*lines, lines[0]], 3)
    with pytest.raises(Misuse, match="named"):
        assemble(HEAD, lines[0], lines, 3)
