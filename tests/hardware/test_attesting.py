# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Real TPMs (swtpm) and tokens (SoftHSM) state where a key is, and operators check it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.identity.enrolment import open_request
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.signers import TokenReport, TpmStatement
from swarm_ledger.sim.rack import Swtpm
from tests.crew import key
from tests.hardware.conftest import needs
from tests.hardware.stores import PIN, Hsm, tool
from tests.system.command import Said, call

SWARM, NAME = "survey", "drone_1"


class Desk:
    """An operator's folder with one drone's request in the first draft of a roster."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder, self.uri, self.roster = folder, uri, folder / "roster"
        self.line = self.ask(NAME, uri)
        others = [self.ask(f"drone_{n}", self.soft(f"drone_{n}")) for n in (2, 3, 4)]
        operator = self.ask("ann", self.soft("ann"))
        given = ("--swarm", SWARM, "--operator", operator)
        self.do("roster", "init", self.roster, self.line, *others, *given)

    def soft(self, name: str) -> str:
        key(name).save(self.folder / f"{name}.pem")
        return f"file:{self.folder / name}.pem"

    def ask(self, name: str, uri: str) -> Path:
        out = self.folder / f"{name}.request"
        channel = self.folder / f"{name}.channel.key"
        self.do(
            *("roster", "request", "--swarm", SWARM, "--name", name, "--channel", channel),
            *("--key", uri, "--out", out),
        )
        return out

    def do(self, *words: object) -> Said:
        said = call(*words)
        assert said.code == 0, said
        assert "careful" not in said.err
        return said

    def challenge(self, name: str = "c") -> Path:
        self.do("roster", "challenge", self.roster, NAME, "--out", self.folder / name)
        return self.folder / name

    def answer(self, challenge: Path, uri: str = "") -> Path:
        out = self.folder / "answer"
        self.do("key", "answer", uri or self.uri, challenge, "--out", out)
        return out

    def attest(self, answer: Path, *more: object) -> Said:
        return call("roster", "attest", self.roster, NAME, answer, *more)

    def signed(self) -> dict[str, Any]:
        uri = f"file:{self.folder}/ann.pem"
        found = self.do("roster", "sign", self.roster, "--key", uri, "--json").json
        members: list[dict[str, Any]] = found["members"]
        return members[0]


@pytest.fixture
def desk(tpm: Swtpm, tmp_path: Path) -> Desk:
    return Desk(tmp_path, made(tpm, tmp_path))


def made(tpm: Swtpm, folder: Path, place: str = "key.tpm2", more: str = "") -> str:
    uri = f"tpm2:{place if place.startswith('0x') else folder / place}?tcti={tpm.tcti}{more}"
    assert call("key", "new", uri).code == 0
    return uri


def test_a_tpm_proves_that_it_has_the_key(desk: Desk) -> None:
    request = open_request(desk.line.read_bytes(), SWARM)
    assert isinstance(request.statement, TpmStatement)
    shown = desk.do("roster", "show", desk.roster).text
    assert "key in tpm2, certified by an unproven TPM" in shown
    said = desk.attest(desk.answer(desk.challenge()))
    assert said.code == 0, said
    assert "key in tpm2, in its TPM, an unproven one" in said.text
    assert "Nobody vouches for this TPM" in said.text
    assert desk.signed()["attested"] == "tpm2-activated"
    assert load_trust(desk.roster).newest.named("drone_2").attested.value == ""


@pytest.mark.parametrize("place", ["key.tpm2", "0x81000001"])
def test_keys_with_passwords_and_pcrs_are_certified_too(
    tpm: Swtpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("AUTH", "open sesame")
    desk = Desk(tmp_path, made(tpm, tmp_path, place, "&auth=env:AUTH&pcrs=sha256:0,7"))
    assert desk.attest(desk.answer(desk.challenge())).code == 0
    assert desk.signed()["attested"] == "tpm2-activated"


def test_another_tpm_does_not_answer(desk: Desk, tmp_path: Path) -> None:
    challenge = desk.challenge()
    with Swtpm(tmp_path / "other tpm") as other:
        elsewhere = made(other, tmp_path, "other.tpm2")
        said = call("key", "answer", elsewhere, challenge)
    assert (said.code, said.out) == (2, b""), said
    assert "this TPM does not open the challenge" in said.err


def test_a_thiefs_tpm_does_not_attest_for_a_key_of_ours(desk: Desk, tmp_path: Path) -> None:
    """Its own AK and EK, and the statement that ours certified: refused with the request."""
    with Swtpm(tmp_path / "other tpm") as other:
        elsewhere = desk.ask("drone_9", made(other, tmp_path, "other.tpm2"))
    theirs = open_request(elsewhere.read_bytes(), SWARM).statement
    ours = open_request(desk.line.read_bytes(), SWARM).statement
    assert isinstance(theirs, TpmStatement)
    assert isinstance(ours, TpmStatement)
    assert (theirs.ak, theirs.ek) != (ours.ak, ours.ek)


def test_answers_to_other_challenges_are_refused(desk: Desk) -> None:
    answer = desk.answer(desk.challenge())
    desk.challenge("another")
    said = desk.attest(answer)
    assert said.code == 1
    assert "answers another challenge" in said.err
    assert desk.signed()["attested"] == "tpm2-certified"


def test_what_is_no_challenge_is_said_so(desk: Desk, tmp_path: Path) -> None:
    said = call("key", "answer", desk.uri, desk.line)
    assert (said.code, "challenge: it is none" in said.err) == (1, True)
    challenge = desk.challenge()
    soft = call("key", "answer", f"file:{tmp_path}/ann.pem", challenge).refused()
    assert "no key in a TPM" in soft
    gone = call("key", "answer", desk.uri, tmp_path / "nowhere").refused()
    assert "cannot read" in gone


def test_key_show_says_what_it_would_state(desk: Desk) -> None:
    found = desk.do("key", "show", "--statement", desk.uri, "--json").json["statement"]
    assert found == {"attested": "tpm2-certified", "ek_issuer": None}
    assert "statement" not in desk.do("key", "show", desk.uri, "--json").json


def test_a_tpm_whose_endorsement_hierarchy_is_locked_asks_without(
    tpm: Swtpm, tmp_path: Path
) -> None:
    uri = made(tpm, tmp_path)
    locked = tool("tpm2_changeauth", "-c", "e", "secret", cwd=tmp_path, tcti=tpm.tcti)
    assert locked.returncode == 0, locked.stderr
    asked = ("--swarm", SWARM, "--name", NAME, "--key", uri, "--out", tmp_path / "line")
    said = call("roster", "request", *asked, "--no-channel")
    assert said.code == 0
    assert "careful: nothing is stated about this key" in said.err
    assert open_request((tmp_path / "line").read_bytes(), SWARM).statement is None


# the endorsement key's certificate


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[tuple[Swtpm, Path]]:
    """A TPM with a certificate from a CA of our own, and that CA's certificate."""
    needs("tpm2_pytss", "tpm2-pytss")
    for program in ("swtpm_setup", "swtpm_localca"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (apt install swtpm-tools)")
    authority, state = tmp_path / "ca", tmp_path / "tpm"
    for folder in (authority, state):
        folder.mkdir(mode=0o700)
    (tmp_path / "localca.conf").write_text(
        f"statedir = {authority}\nsigningkey = {authority}/signkey.pem\n"
        f"issuercert = {authority}/issuercert.pem\ncertserial = {authority}/certserial\n"
    )
    (tmp_path / "localca.options").write_text(
        "--platform-manufacturer survey\n--platform-version 1\n--platform-model drone\n"
    )
    (tmp_path / "setup.conf").write_text(
        f"create_certs_tool = {shutil.which('swtpm_localca')}\n"
        f"create_certs_tool_config = {tmp_path}/localca.conf\n"
        f"create_certs_tool_options = {tmp_path}/localca.options\n"
    )
    done = subprocess.run(
        [
            *("swtpm_setup", "--tpm2", "--tpmstate", state, "--create-ek-cert"),
            *("--config", tmp_path / "setup.conf", "--overwrite"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"swtpm_setup makes no certificate: {(done.stdout + done.stderr)[-300:]}")
    with Swtpm(state) as started:
        yield started, authority / "issuercert.pem"


def test_a_makers_certificate_is_checked(certified: tuple[Swtpm, Path], tmp_path: Path) -> None:
    tpm, authority = certified
    desk = Desk(tmp_path, made(tpm, tmp_path))
    shown = desk.do("key", "show", "--statement", desk.uri, "--json").json["statement"]
    assert "CN=swtpm-localca" in shown["ek_issuer"]
    answer = desk.answer(desk.challenge())
    root = authority.with_name("swtpm-localca-rootca-cert.pem")
    refused = desk.attest(answer, "--ek-ca", root)
    assert refused.code == 1
    assert "none of the given authorities issued it" in refused.err
    said = desk.attest(answer, "--ek-ca", authority)
    assert said.code == 0, said
    assert "key in tpm2, in a TPM with its maker's certificate" in said.text
    assert "Nobody vouches" not in said.text
    assert desk.signed()["attested"] == "tpm2-genuine"


def test_a_tpm_without_a_certificate_is_not_genuine(desk: Desk, tmp_path: Path) -> None:
    answer = desk.answer(desk.challenge())
    rubbish = tmp_path / "ca.pem"
    rubbish.write_text("rubbish")
    said = desk.attest(answer, "--ek-ca", rubbish)
    assert (said.code, "no certificates in PEM" in said.err) == (1, True)


# tokens


def test_a_token_reports(hsm: Hsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = hsm.uri()
    assert call("key", "new", uri).code == 0
    desk = Desk(tmp_path, uri)
    report = open_request(desk.line.read_bytes(), SWARM).statement
    assert isinstance(report, TokenReport)
    assert (report.label, report.manufacturer) == ("drone 1", "SoftHSM project")
    assert report.model == "SoftHSM v2"
    assert len(report.serial) == 16
    flags = (report.sensitive, report.always_sensitive, report.extractable)
    assert flags == (True, True, False)
    assert (report.never_extractable, report.local) == (True, True)
    assert "key in pkcs11, reported by the token" in desk.do("roster", "show", desk.roster).text
    assert desk.signed()["attested"] == "pkcs11-reported"
    shown = desk.do("key", "show", "--statement", uri, "--json").json["statement"]
    assert (shown["attested"], shown["serial"]) == ("pkcs11-reported", report.serial)
    assert "proven" not in desk.do("roster", "show", desk.roster).text
    refused = call("roster", "challenge", desk.roster, NAME).refused()
    assert "has no statement of a TPM" in refused


def test_a_token_that_was_pulled_out_asks_nothing(hsm: Hsm, tmp_path: Path) -> None:
    from swarm_ledger.signers import new_key, statement_of
    from swarm_ledger.signers.pkcs11_token import restart_module

    signer = new_key(hsm.uri())
    (token,) = hsm.tokens.iterdir()
    token.rename(tmp_path / "elsewhere")
    restart_module(hsm.soft.module)
    with pytest.raises(Misuse, match="there is no token 'drone 1'"):
        statement_of(signer, bytes(32))
    assert PIN not in repr(signer)
