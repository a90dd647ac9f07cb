# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What operators believe of where a root key is, and what they are not made to believe.

The TPM here is a program that knows its structures: whoever writes one gets no further than this,
as nobody vouches for its endorsement key. tests/hardware does the same with swtpm.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from swarm_ledger.encoding import digest, encode
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity import attesting, cose, edits, tpm2
from swarm_ledger.identity import draft as drafts
from swarm_ledger.identity.attestation import (
    Attested,
    check_certificate,
    check_statement,
    read_authorities,
)
from swarm_ledger.identity.enrolment import (
    Request,
    make_request,
    open_request,
    statement_context,
)
from swarm_ledger.identity.roster import FLYING, Member, Role, parse_roster, render_roster
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.signers import KeyStore, Signer, SoftwareP256Signer, TokenReport, TpmStatement
from swarm_ledger.signers.p256 import point
from tests.crew import END, key

SWARM, NAME = "survey", "drone_1"
KEY_FLAGS = tpm2.FIXED_TPM | tpm2.FIXED_PARENT | tpm2.SENSITIVE_DATA_ORIGIN | tpm2.SIGN
AK_FLAGS = KEY_FLAGS | tpm2.RESTRICTED
EK_FLAGS = (KEY_FLAGS | tpm2.RESTRICTED | tpm2.DECRYPT) & ~tpm2.SIGN
CONTEXT = statement_context(SWARM, NAME)
REPORT = TokenReport("t", "m", "n", "1", True, True, False, True, True)
NOW = datetime(2030, 6, 1, tzinfo=timezone.utc)
RSA = [rsa.generate_private_key(65_537, 2048) for _ in range(3)]


def sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def ecc_public(public_key: bytes, flags: int, *, signs: bool = False) -> bytes:
    numbers = point(public_key).public_numbers()
    scheme = b"\0\x18\0\x0b" if signs else b"\0\x10"
    return (
        b"\0\x23\0\x0b" + flags.to_bytes(4, "big") + sized(b"")
        + b"\0\x10" + scheme + b"\0\x03" + b"\0\x10"
        + sized(numbers.x.to_bytes(32, "big")) + sized(numbers.y.to_bytes(32, "big"))
    )  # fmt: skip


def rsa_public(private: rsa.RSAPrivateKey, flags: int = EK_FLAGS) -> bytes:
    modulus = private.public_key().public_numbers().n.to_bytes(256, "big")
    policy = bytes(32)
    return (
        b"\0\x01\0\x0b" + flags.to_bytes(4, "big") + sized(policy)
        + b"\0\x06\0\x80\0\x43" + b"\0\x10" + b"\x08\0" + bytes(4) + sized(modulus)
    )  # fmt: skip


class Program:
    """What a TPM does, in software. number: which endorsement key it has."""

    key_store = KeyStore.TPM2

    def __init__(self, number: int = 0) -> None:
        self.root, self.ak = SoftwareP256Signer.generate(), SoftwareP256Signer.generate()
        self.ek = RSA[number]
        self.algorithm, self.public_key = self.root.algorithm, self.root.public_key
        self.attributes: dict[str, bool] = {}
        self.sign = self.root.sign
        self.key_public = ecc_public(self.public_key, KEY_FLAGS)
        self.ak_public = ecc_public(self.ak.public_key, AK_FLAGS, signs=True)
        self.ek_public = rsa_public(self.ek)
        self.magic, self.certificate = b"\xffTCG\x80\x17", b""

    def statement(self, context: bytes = CONTEXT) -> TpmStatement:
        name = b"\0\x0b" + digest(self.key_public)
        attest = (
            self.magic + sized(b"\0\x0b" + bytes(32)) + sized(context) + bytes(25)
            + sized(name) + sized(b"\0\x0b" + bytes(32))
        )  # fmt: skip
        return TpmStatement(
            self.key_public,
            self.ak_public,
            self.ek_public,
            attest,
            self.ak.sign(attest),
            self.certificate,
        )

    def activate(self, blob: bytes, secret: bytes) -> bytes:
        """TPM2_ActivateCredential (part 1, 24), written from the specification once more."""
        seed = self.ek.decrypt(secret, OAEP(MGF1(SHA256()), SHA256(), b"IDENTITY\0"))
        name = b"\0\x0b" + digest(self.ak_public)
        claimed, hidden = blob[2:34], blob[34:]

        def derive(label: bytes, context: bytes, bits: int) -> bytes:
            said = b"\0\0\0\1" + label + b"\0" + context + bits.to_bytes(4, "big")
            return hmac.new(seed, said, hashlib.sha256).digest()[: bits // 8]

        good = hmac.new(derive(b"INTEGRITY", b"", 256), hidden + name, hashlib.sha256).digest()
        if good != claimed:
            raise Misuse("the credential is for another key.")
        block = Cipher(AES(derive(b"STORAGE", name, 128)), ECB()).encryptor()
        plain, before = b"", bytes(16)
        for at in range(0, len(hidden), 16):
            part = hidden[at : at + 16]
            plain += bytes(a ^ b for a, b in zip(part, block.update(before), strict=False))
            before = part
        return plain[2:]

    def request(self, statement: Any = None, name: str = NAME) -> bytes:
        return make_request(self, SWARM, name, statement=statement or self.statement())


# the statement


def test_a_statement_that_holds() -> None:
    program = Program()
    check_statement(program.statement(), program.public_key, CONTEXT)
    request = open_request(program.request(), SWARM)
    assert request.statement == program.statement() or request.statement is not None
    assert enrolled(request).attested is Attested.CERTIFIED


def enrolled(request: Request) -> Member:
    return edits.enrol(None, [], request, FLYING)[0]


def tampered(change: Callable[[Program], None]) -> tuple[TpmStatement, bytes]:
    program = Program()
    change(program)
    return program.statement(), program.public_key


def set_flags(place: str, flags: int) -> Callable[[Program], None]:
    def change(program: Program) -> None:
        if place == "ek_public":
            program.ek_public = rsa_public(program.ek, flags)
        else:
            ak = place == "ak_public"
            whose = program.ak if ak else program.root
            setattr(program, place, ecc_public(whose.public_key, flags, signs=ak))

    return change


FORGED: dict[str, tuple[Callable[[Program], None], str]] = {
    "the key may leave its TPM": (
        set_flags("key_public", KEY_FLAGS & ~tpm2.FIXED_TPM), "may leave it"),
    "its parent may take it along": (
        set_flags("key_public", KEY_FLAGS & ~tpm2.FIXED_PARENT), "may leave it"),
    "the key came from outside": (
        set_flags("key_public", KEY_FLAGS & ~tpm2.SENSITIVE_DATA_ORIGIN), "was not made"),
    "the key is itself restricted": (set_flags("key_public", AK_FLAGS), "not one for signing"),
    "the AK signs anything": (set_flags("ak_public", KEY_FLAGS), "signs more than its TPM"),
    "the AK may leave": (set_flags("ak_public", AK_FLAGS & ~tpm2.FIXED_TPM), "signs more"),
    "the AK decrypts": (set_flags("ak_public", AK_FLAGS | tpm2.DECRYPT), "signs more"),
    "the EK decrypts anything": (set_flags("ek_public", EK_FLAGS & ~tpm2.RESTRICTED), "is none"),
    "the EK signs": (set_flags("ek_public", EK_FLAGS | tpm2.SIGN), "is none"),
    "no TPM stated it": (lambda p: setattr(p, "magic", b"\xffTCX\x80\x17"), "where it may not"),
    "a quote instead": (lambda p: setattr(p, "magic", b"\xffTCG\x80\x18"), "where it may not"),
    "another AK signed": (
        lambda p: setattr(p, "ak", SoftwareP256Signer.generate()), "did not sign it"),
    "it certifies another key": (
        lambda p: setattr(p, "public_key", Program().public_key), "about another key"),
}  # fmt: skip


@pytest.mark.parametrize("how", FORGED)
def test_a_statement_that_does_not_hold(how: str) -> None:
    change, words = FORGED[how]
    statement, public_key = tampered(change)
    with pytest.raises(PeerFault, match=words) as caught:
        check_statement(statement, public_key, CONTEXT)
    assert caught.value.reason == "bad_statement"


def test_another_keys_certification_is_refused() -> None:
    """The AK certified one key of its TPM; another one, that anybody may copy, is passed off."""
    program = Program()
    soft = SoftwareP256Signer.generate()
    statement = msgspec.structs.replace(
        program.statement(), key=ecc_public(soft.public_key, KEY_FLAGS)
    )
    with pytest.raises(PeerFault, match="certifies another key"):
        check_statement(statement, soft.public_key, CONTEXT)


def test_a_statement_serves_one_swarm_and_name() -> None:
    program = Program()
    for context in (statement_context("other", NAME), statement_context(SWARM, "drone_2")):
        with pytest.raises(NotVerified, match="another swarm or name"):
            open_request(program.request(program.statement(context)), SWARM)


def test_each_byte_of_a_statement_counts() -> None:
    program = Program()
    good = program.statement()
    for part in ("key", "attest", "signature"):
        whole: bytes = getattr(good, part)
        for at in range(len(whole)):
            changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            with pytest.raises(PeerFault):
                check_statement(
                    msgspec.structs.replace(good, **{part: changed}), program.public_key, CONTEXT
                )
        if part != "signature":
            for raw in (whole[:-1], whole + b"\0", b""):
                with pytest.raises(PeerFault):
                    check_statement(
                        msgspec.structs.replace(good, **{part: raw}), program.public_key, CONTEXT
                    )


@pytest.mark.parametrize(
    "raw",
    [
        rsa_public(RSA[0])[:-256] + bytes(256),
        rsa_public(RSA[0])[:-258] + sized(b"\xff" * 600),
        rsa_public(RSA[0]).replace(b"\x08\0\0\0\0\0", b"\x08\0\0\0\0\3"),
        b"\0\x08" + rsa_public(RSA[0])[2:],
        ecc_public(Program().public_key, KEY_FLAGS)[:-32] + bytes(32),
    ],
    ids=["no modulus", "long modulus", "exponent 3", "other kind", "no point"],
)
def test_public_areas_that_are_none(raw: bytes) -> None:
    with pytest.raises(PeerFault) as caught:
        tpm2.parse_public(raw)
    assert caught.value.reason == "bad_statement"


def test_another_form_of_an_ak_is_another_ak() -> None:
    """What a statement leaves open of it, the challenge is bound to."""
    whole = Program().ak_public
    names = [tpm2.parse_public(whole).name]
    for at in range(len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        try:
            names.append(tpm2.parse_public(changed).name)
        except PeerFault:
            continue
    assert len(set(names)) == len(names) > 4
    for raw in (whole[:-1], whole + b"\0", b""):
        with pytest.raises(PeerFault):
            tpm2.parse_public(raw)


# requests


def test_a_token_reports_and_proves_nothing() -> None:
    token = Program()
    token.key_store = KeyStore.PKCS11
    request = open_request(make_request(token, SWARM, NAME, statement=REPORT), SWARM)
    assert request.statement == REPORT
    assert enrolled(request).attested is Attested.REPORTED
    assert Attested.REPORTED.said == "reported by the token"


def test_a_software_key_claims_no_attestation() -> None:
    soft = SoftwareP256Signer.generate()
    for statement in (REPORT, Program().statement()):
        line = make_request(soft, SWARM, NAME, statement=statement)
        with pytest.raises(NotVerified, match="statement about a software key"):
            open_request(line, SWARM)


def test_a_store_claims_what_is_its_own() -> None:
    token = Program()
    with pytest.raises(NotVerified, match="a pkcs11 statement about a tpm2 key"):
        open_request(token.request(REPORT), SWARM)
    statement = token.statement()
    token.key_store = KeyStore.PKCS11
    with pytest.raises(NotVerified, match="a tpm2 statement about a pkcs11 key"):
        open_request(token.request(statement), SWARM)


def test_anothers_statement_is_not_ones_own() -> None:
    thief, owner = Program(), Program()
    with pytest.raises(NotVerified, match="about another key"):
        open_request(thief.request(owner.statement()), SWARM)


def test_a_statement_that_is_too_large_is_refused() -> None:
    program = Program()
    huge = msgspec.structs.replace(program.statement(), certificate=bytes(3073))
    with pytest.raises(NotVerified, match="not a valid message"):
        open_request(program.request(huge), SWARM)
    report = msgspec.structs.replace(REPORT, label="x" * 65)
    program.key_store = KeyStore.PKCS11
    with pytest.raises(NotVerified, match="not a valid message"):
        open_request(program.request(report), SWARM)
    with pytest.raises(NotVerified, match="not a request"):
        open_request(b"swarm_ledger/request/v1 " + b"A" * 8200, SWARM)


# challenge and answer


class Office:
    """One operator, and a draft with a drone whose key a program certifies."""

    def __init__(self, home: Path, program: Program) -> None:
        self.program, self.home, self.roster = program, home, home / "roster"
        self.requests = self.roster / drafts.REQUESTS
        lines = [(NAME, program.request())]
        lines += [(name, make_request(key(name), SWARM, name)) for name in OTHERS]
        members: list[Member] = []
        opened = {name: (line, open_request(line, SWARM)) for name, line in lines}
        for name, (_, request) in opened.items():
            roles = frozenset({Role.OPERATOR}) if name == "ann" else FLYING
            members = edits.enrol(None, members, request, roles)
        drafts.begin(self.roster, SWARM, members, threshold=1, expires=END)
        for line, request in opened.values():
            drafts.keep_request(self.roster, line, request)

    @property
    def member(self) -> Member:
        draft = drafts.load_draft(self.roster)
        roster = draft.roster if draft else load_trust(self.roster).newest
        return roster.named(NAME)

    def challenge(self, random: bytes = bytes(range(64))) -> bytes:
        return attesting.challenge(self.requests, SWARM, self.member, random=random)

    def answer(self, line: bytes, program: Program | None = None) -> bytes:
        asked = attesting.open_challenge(line)
        found = (program or self.program).activate(asked.blob, asked.secret)
        return attesting.answer(line, found)

    def check(self, line: bytes, *authorities: x509.Certificate) -> Attested:
        return attesting.check_answer(
            self.requests, SWARM, self.member, line, authorities=list(authorities), now=NOW
        )

    def mark(self, level: Attested) -> None:
        drafts.amend(
            self.roster,
            lambda members: [replace(m, attested=level) if m.name == NAME else m for m in members],
        )

    def sign(self) -> None:
        drafts.sign(self.roster, key("ann"))


OTHERS = ["drone_2", "drone_3", "drone_4", "ann"]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, Program())


def test_a_tpm_answers_and_the_roster_says_so(office: Office) -> None:
    assert office.member.attested is Attested.CERTIFIED
    assert office.check(office.answer(office.challenge())) is Attested.ACTIVATED
    office.mark(Attested.ACTIVATED)
    office.sign()
    trust = load_trust(office.roster)
    assert trust.newest.named(NAME).attested is Attested.ACTIVATED
    assert b'"attested": "tpm2-activated"' in trust.newest.raw


def test_a_member_may_be_attested_later(office: Office) -> None:
    office.sign()
    office.check(office.answer(office.challenge()))
    office.mark(Attested.ACTIVATED)
    office.sign()
    newest = load_trust(office.roster).newest
    assert (newest.version, newest.named(NAME).attested) == (2, Attested.ACTIVATED)


def test_an_answer_to_another_challenge(office: Office) -> None:
    first = office.answer(office.challenge())
    office.challenge(bytes(64))
    with pytest.raises(NotVerified, match="answers another challenge"):
        office.check(first)


def test_a_guess_is_no_answer(office: Office) -> None:
    line = office.challenge()
    for guess in (bytes(32), b"", attesting.open_challenge(line).answer):
        with pytest.raises(NotVerified, match="the key's TPM did not give it"):
            office.check(attesting.answer(line, guess))


def test_another_tpm_does_not_open_it(office: Office) -> None:
    """Neither one with another EK, nor the same with another AK."""
    line = office.challenge()
    with pytest.raises((ValueError, Misuse)):
        office.answer(line, Program(1))
    with pytest.raises(Misuse, match="for another key"):
        office.answer(line, Program(0))


def test_an_ak_that_is_in_no_tpm_gets_no_further(tmp_path: Path) -> None:
    """A program's AK certifies a key; the EK that it shows is a real TPM's, of somebody else."""
    program, real = Program(), Program(1)
    program.ek_public = real.ek_public
    office = Office(tmp_path, program)
    assert office.member.attested is Attested.CERTIFIED
    line = office.challenge()
    asked = attesting.open_challenge(line)
    with pytest.raises(Misuse, match="for another key"):
        real.activate(asked.blob, asked.secret)


def test_without_a_challenge_there_is_no_answer(office: Office) -> None:
    line = office.challenge()
    answer = office.answer(line)
    (office.requests / f"{office.member.drone_id}.challenge").unlink()
    with pytest.raises(NotVerified, match="was not challenged"):
        office.check(answer)


def test_a_challenge_is_for_one_request(office: Office) -> None:
    answer = office.answer(office.challenge())
    line = office.program.request()
    drafts.keep_request(office.roster, line, open_request(line, SWARM))
    with pytest.raises(NotVerified, match="was for another request"):
        office.check(answer)


def test_only_keys_in_tpms_are_challenged(office: Office) -> None:
    draft = drafts.load_draft(office.roster)
    assert draft is not None
    member = draft.roster.named("drone_2")
    with pytest.raises(Misuse, match="no statement of a TPM"):
        attesting.challenge(office.requests, SWARM, member, random=bytes(64))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"swarm_ledger/answer/v1 ",
        b"swarm_ledger/answer/v1 !",
        b"swarm_ledger/answer/v1 gA==",
        b"swarm_ledger/answer/v1 " + b"A" * 3000,
        b"swarm_ledger/challenge/v1 gA==",
    ],
)
def test_lines_that_are_none(office: Office, line: bytes) -> None:
    office.challenge()
    with pytest.raises(NotVerified):
        office.check(line)
    with pytest.raises(NotVerified):
        attesting.open_challenge(line)


# what each operator who signs looks at


@pytest.mark.parametrize("level", [Attested.ACTIVATED, Attested.GENUINE])
def test_a_draft_that_says_more_than_was_shown_is_not_signed(
    office: Office, level: Attested
) -> None:
    office.mark(level)
    with pytest.raises((NotVerified, Misuse)):
        office.sign()
    line = office.challenge()
    office.check(office.answer(line))
    if level is Attested.GENUINE:
        with pytest.raises(NotVerified, match="its TPM has no certificate"):
            office.sign()
    else:
        office.sign()


def test_a_draft_that_says_it_of_a_software_key_is_no_roster(office: Office) -> None:
    with pytest.raises(Misuse, match="attested tpm2-activated, and its key is in software"):
        drafts.amend(
            office.roster,
            lambda members: [replace(m, attested=Attested.ACTIVATED) for m in members],
        )


def test_levels_that_nobody_knows_are_refused(office: Office) -> None:
    draft = drafts.load_draft(office.roster)
    assert draft is not None
    raw = draft.roster.raw
    assert b'"attested": "tpm2-certified"' in raw
    with pytest.raises(Misuse, match="not a valid roster"):
        parse_roster(raw.replace(b"tpm2-certified", b"tpm2-proven"))
    members = [replace(m, attested=Attested.NO) for m in draft.roster.members]
    assert b"attested" not in render_roster(SWARM, 1, members)


# the endorsement key's certificate


def certificate(
    subject: rsa.RSAPrivateKey,
    by: rsa.RSAPrivateKey,
    *,
    ca: bool = False,
    issuer: str = "maker",
    name: str = "",
    until: datetime = NOW + timedelta(days=1),
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)] if text else [])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(subject.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=10))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    return builder.sign(by, SHA256())


MAKER = certificate(RSA[1], RSA[1], ca=True, name="maker")


def of(found: x509.Certificate) -> bytes:
    return found.public_bytes(Encoding.DER)


def test_a_makers_certificate(tmp_path: Path) -> None:
    program = Program()
    program.certificate = of(certificate(RSA[0], RSA[1]))
    office = Office(tmp_path, program)
    line = office.answer(office.challenge())
    assert office.check(line) is Attested.ACTIVATED
    authorities = read_authorities(MAKER.public_bytes(Encoding.PEM))
    assert office.check(line, *authorities) is Attested.GENUINE
    office.mark(Attested.GENUINE)
    office.sign()
    assert load_trust(office.roster).newest.named(NAME).attested is Attested.GENUINE


@pytest.mark.parametrize(
    ("found", "authority", "words"),
    [
        (certificate(RSA[0], RSA[2]), MAKER, "none of the given authorities"),
        (certificate(RSA[0], RSA[1], issuer="other"), MAKER, "none of the given authorities"),
        (certificate(RSA[0], RSA[1], until=NOW - timedelta(days=1)), MAKER, "not valid at this"),
        (
            certificate(RSA[0], RSA[1]),
            certificate(RSA[1], RSA[1], ca=False, name="maker"),
            "none of the given authorities",
        ),
        (
            certificate(RSA[0], RSA[1]),
            certificate(RSA[1], RSA[1], ca=True, name="maker", until=NOW - timedelta(days=1)),
            "none of the given authorities",
        ),
    ],
)
def test_a_certificate_that_does_not_hold(
    found: x509.Certificate, authority: x509.Certificate, words: str
) -> None:
    program = Program()
    program.certificate = of(found)
    statement = program.statement()
    with pytest.raises(NotVerified, match=words):
        check_certificate(statement, [authority], NOW)


def test_where_there_is_no_certificate_none_is_taken() -> None:
    with pytest.raises(NotVerified, match="has no certificate"):
        check_certificate(Program().statement(), [MAKER], NOW)
    with pytest.raises(NotVerified, match="no certificates in PEM"):
        read_authorities(b"rubbish")


def test_anothers_certificate_or_rubbish_is_refused_with_the_request() -> None:
    program = Program()
    for raw, words in (
        (of(certificate(RSA[2], RSA[1])), "another endorsement key's"),
        (b"\x30\x03\x02\x01\x00", "no certificate of an EK"),
    ):
        program.certificate = raw
        with pytest.raises(NotVerified, match=words):
            open_request(program.request(), SWARM)


def test_a_request_whose_statement_was_exchanged_is_not_the_drones() -> None:
    """The root key signed the request with the statement in it."""
    program, other = Program(), Program()
    request = Request(SWARM, NAME, program.public_key, KeyStore.TPM2, False, program.statement())
    swapped = msgspec.structs.replace(request, statement=None)
    aad = encode(["swarm_ledger/v1 enrolment", SWARM])
    signed: Signer = other  # somebody on the way
    raw = cose.sign1(signed, encode(swapped), aad)
    import base64

    with pytest.raises(NotVerified, match="signature"):
        open_request(b"swarm_ledger/request/v1 " + base64.b64encode(raw) + b"\n", SWARM)
