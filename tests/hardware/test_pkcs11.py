# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Keys in PKCS#11 tokens, with SoftHSM: they sign, stay where they are, and fail in words."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.session import delegate, domain, open_delegation
from swarm_ledger.identity.signature import verify
from swarm_ledger.signers import Algorithm, KeyStore, new_key, open_signer
from swarm_ledger.signers.pkcs11_token import explained, find_modules, find_tokens, restart_module
from tests.crew import T0_S, key
from tests.hardware.stores import PIN, Hsm, openssl_verifies
from tests.unit.test_identity_p256 import roster_of

BOTH = [Algorithm.EDDSA, Algorithm.ES256]


def refused(uri: str, folder: Path = Path()) -> str:
    with pytest.raises(Misuse) as caught:
        open_signer(uri, folder)
    return caught.value.explain()


@pytest.mark.parametrize("algorithm", BOTH)
def test_a_key_is_made_in_its_token_and_stays_there(hsm: Hsm, algorithm: Algorithm) -> None:
    signer = new_key(hsm.uri(), algorithm)
    assert (signer.algorithm, signer.key_store) == (algorithm, KeyStore.PKCS11)
    assert signer.attributes == {
        "extractable": False,
        "sensitive": True,
        "always_sensitive": True,
        "never_extractable": True,
        "local": True,
    }
    again = open_signer(hsm.uri())
    assert again.public_key == signer.public_key
    for number in range(20):
        message = b"%d" % number
        assert verify(signer.public_key, message, again.sign(message))
    assert not verify(signer.public_key, b"other", again.sign(b"message"))
    assert_not_to_be_read(hsm)


def assert_not_to_be_read(hsm: Hsm) -> None:
    import pkcs11

    token = pkcs11.lib(hsm.soft.module).get_token(token_label="drone 1")
    with token.open(user_pin=PIN) as session:
        private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY)
        with pytest.raises(pkcs11.AttributeSensitive):
            private[pkcs11.Attribute.VALUE]


@pytest.mark.parametrize("algorithm", BOTH)
def test_its_signatures_verify_with_openssl(
    hsm: Hsm, tmp_path: Path, algorithm: Algorithm
) -> None:
    signer = new_key(hsm.uri(), algorithm)
    signature = signer.sign(b"a message")
    assert openssl_verifies(tmp_path, signer, b"a message", signature)
    assert not openssl_verifies(tmp_path, signer, b"another", signature)


def test_ed25519_is_what_a_token_makes_unless_asked(hsm: Hsm) -> None:
    assert new_key(hsm.uri()).algorithm is Algorithm.EDDSA


@pytest.mark.parametrize("algorithm", BOTH)
def test_it_delegates_to_a_session(hsm: Hsm, algorithm: Algorithm) -> None:
    from swarm_ledger.identity.roster import parse_roster

    root, session = new_key(hsm.uri(), algorithm), key("session")
    roots = {"drone_1": root, **{f"drone_{n}": key(f"drone_{n}") for n in (2, 3, 4)}}
    roster = parse_roster(roster_of(roots, key("operator")))
    aad = domain(roster.swarm_id, Kind.SESSION, roster.version)
    token = delegate(root, session, aad, not_before=T0_S, expires=T0_S + 60)
    assert open_delegation(token, roster, aad).member.name == "drone_1"


def test_the_pin_comes_from_where_the_uri_says(
    hsm: Hsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_key(hsm.uri()).public_key
    (tmp_path / "pin").write_text(PIN + "\n")
    (tmp_path / "pin").chmod(0o600)
    reading, writing = os.pipe()
    os.write(writing, PIN.encode())
    os.close(writing)
    for source in ("file:pin", f"file:{tmp_path}/pin", "pin", f"{tmp_path}/pin", f"fd:{reading}"):
        assert open_signer(hsm.uri(query=f"pin-source={source}"), tmp_path).public_key == made
    with pytest.warns(UserWarning, match="a PIN stands in a key's URI"):
        assert open_signer(hsm.uri(query=f"pin-value={PIN}")).public_key == made
    monkeypatch.delenv("PIN")
    assert "PIN is not set" in refused(hsm.uri())


def test_without_a_pin_it_says_so(hsm: Hsm) -> None:
    new_key(hsm.uri())
    said = refused(hsm.uri(query="module-path=x").replace("module-path=x", "").rstrip("&"))
    assert "It may need a PIN: add ?pin-source=env:NAME" in said


def test_a_wrong_pin(hsm: Hsm, monkeypatch: pytest.MonkeyPatch) -> None:
    new_key(hsm.uri())
    monkeypatch.setenv("PIN", "9999")
    said = refused(hsm.uri())
    assert "the token 'drone 1' refuses the PIN. It is not tried again" in said
    assert "9999" not in said
    monkeypatch.setenv("PIN", "1")
    assert "refuses the PIN" in refused(hsm.uri())


def test_a_wrong_pin_is_not_tried_again(hsm: Hsm) -> None:
    """Tokens count: a drone that tried once a second would block its own key."""
    import pkcs11

    signer = new_key(hsm.uri())
    token = pkcs11.lib(hsm.soft.module).get_token(token_label="drone 1")
    with token.open(rw=True, user_pin=PIN) as session:
        session.set_pin(PIN, "5678")
    with pytest.raises(Misuse, match="refuses the PIN"):
        signer.sign(b"x")
    with token.open(rw=True, user_pin="5678") as session:
        session.set_pin("5678", PIN)
    with pytest.raises(Misuse, match="refused its PIN before, and it is not tried again"):
        signer.sign(b"x")
    assert verify(signer.public_key, b"x", open_signer(hsm.uri()).sign(b"x"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("PinLocked", "has blocked its PIN. Unblock it"),
        ("PinExpired", "wants another PIN"),
        ("DeviceRemoved", "was removed. Put it back"),
        ("TokenNotPresent", "was removed. Put it back"),
        ("DeviceError", "failed: DeviceError"),
    ],
)
def test_what_softhsm_never_says_has_words_too(hsm: Hsm, name: str, said: str) -> None:
    import pkcs11

    with pytest.raises(Misuse) as caught, explained("the token 'x'"):
        raise getattr(pkcs11, name)
    assert f"the token 'x' {said}" in caught.value.explain()


def test_tokens_and_keys_that_are_not_there(hsm: Hsm) -> None:
    new_key(hsm.uri())
    for uri, said in (
        (hsm.uri(token="drone%202"), "there is no token 'drone 2'. Is it put in?"),
        (hsm.uri(token="drone%201;serial=00"), "no token 'drone 1' with serial '00'"),
        (hsm.uri(key="object=other"), "no private key with object 'other'. Make one"),
        (hsm.uri(key="object=root;id=%01"), "no private key with object 'root' with id 01"),
        ("pkcs11:object=x?module-path=/nowhere.so", "/nowhere.so"),
        ("pkcs11:object=x?module-path=/etc/hostname", "/etc/hostname"),
        ("pkcs11:object=x?module-name=none", "no PKCS#11 module none is installed"),
    ):
        assert said in refused(uri)
    uri = hsm.uri(token=f"drone%201;model=SoftHSM%20v2;library-version={version(hsm)}")
    assert open_signer(uri.replace("module-path=" + hsm.soft.module, "module-name=softhsm2"))


def version(hsm: Hsm) -> str:
    import pkcs11

    return ".".join(map(str, pkcs11.lib(hsm.soft.module).library_version))


def test_a_token_that_was_pulled_out_and_put_back(hsm: Hsm, tmp_path: Path) -> None:
    signer = new_key(hsm.uri())
    (token,) = hsm.tokens.iterdir()
    token.rename(tmp_path / "elsewhere")
    restart_module(hsm.soft.module)
    with pytest.raises(Misuse) as caught:
        signer.sign(b"x")
    assert "there is no token 'drone 1'. Is it put in?" in caught.value.explain()
    (tmp_path / "elsewhere").rename(token)
    restart_module(hsm.soft.module)
    assert verify(signer.public_key, b"x", signer.sign(b"x"))


def test_a_token_that_vanishes_while_it_is_in_use(hsm: Hsm, tmp_path: Path) -> None:
    signer = new_key(hsm.uri())
    (token,) = hsm.tokens.iterdir()
    token.rename(tmp_path / "elsewhere")
    with pytest.raises(Misuse):
        signer.sign(b"x")


def test_a_key_is_never_overwritten(hsm: Hsm) -> None:
    made = new_key(hsm.uri()).public_key
    taken = "id=" + "".join(f"%{byte:02X}" for byte in sha256(b"root").digest()[:8])
    for other in ("object=root", "object=root;id=%07", f"object=other;{taken}"):
        with pytest.raises(Misuse, match="already"):
            new_key(hsm.uri(key=other))
    with pytest.raises(Misuse, match="a new key needs a label"):
        new_key(hsm.uri(key="id=%07"))
    assert open_signer(hsm.uri()).public_key == made


def test_two_keys_of_one_label(hsm: Hsm) -> None:
    keys = {
        number: new_key(hsm.uri(key=f"object=made%20{number};id=%0{number}")).public_key
        for number in (1, 2)
    }
    call_all_of_them_root(hsm)
    said = refused(hsm.uri())
    assert "the token has 2 private keys with object 'root'. Add id= to the URI: %0" in said
    for number, public_key in keys.items():
        assert open_signer(hsm.uri(key=f"object=root;id=%0{number}")).public_key == public_key
        assert open_signer(hsm.uri(key=f"id=%0{number}")).public_key == public_key


def call_all_of_them_root(hsm: Hsm) -> None:
    import pkcs11

    token = pkcs11.lib(hsm.soft.module).get_token(token_label="drone 1")
    with token.open(rw=True, user_pin=PIN) as session:
        for found in list(session.get_objects()):
            found[pkcs11.Attribute.LABEL] = "root"


def test_two_tokens_of_one_label(hsm: Hsm) -> None:
    import pkcs11

    hsm.soft.token("drone 1", PIN)
    tokens = list(pkcs11.lib(hsm.soft.module).get_tokens(token_label="drone 1"))
    assert "more than one is a token 'drone 1': serial " in refused(hsm.uri())
    serial = tokens[0].serial.decode()
    assert new_key(hsm.uri(token=f"drone%201;serial={serial}"))


def test_keys_of_other_kinds_are_refused(hsm: Hsm) -> None:
    import pkcs11

    token = pkcs11.lib(hsm.soft.module).get_token(token_label="drone 1")
    with token.open(rw=True, user_pin=PIN) as session:
        session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label="rsa", id=b"\1")
        curve = session.create_domain_parameters(
            pkcs11.KeyType.EC,
            {pkcs11.Attribute.EC_PARAMS: bytes.fromhex("06052b81040022")},  # P-384
            local=True,
        )
        curve.generate_keypair(store=True, label="p384", id=b"\2")
    assert "neither of Ed25519 nor of P-256" in refused(hsm.uri(key="object=p384"))
    assert "of Ed25519" in refused(hsm.uri(key="object=rsa"))


def test_tokens_are_found_and_shown(hsm: Hsm) -> None:
    import pkcs11

    (found,) = find_tokens(hsm.soft.module)
    assert (found.label, found.model) == ("drone 1", "SoftHSM v2")
    assert (found.blocked, found.low) == (False, False)
    token = pkcs11.lib(hsm.soft.module).get_token(token_label="drone 1")
    with pytest.raises(pkcs11.PinIncorrect):
        token.open(user_pin="0000")
    assert [token.low for token in find_tokens(hsm.soft.module)] == [True]
    assert hsm.soft.module in find_modules()


def test_a_key_is_found_without_naming_the_module(hsm: Hsm) -> None:
    new_key(hsm.uri())
    assert open_signer("pkcs11:token=drone%201;object=root?pin-source=env:PIN")


def test_many_processes_use_tokens_of_one_folder_at_once(hsm: Hsm) -> None:
    """SoftHSM writes a token's file at each login; whoever reads it then is failed, and reads it
    again. It ended every third drone of a mission."""
    names = [f"drone {number}" for number in range(2, 6)]
    for name in names:
        hsm.soft.token(name, PIN)
    uris = [hsm.uri(token=name.replace(" ", "%20")) for name in names]
    for uri in uris:
        new_key(uri, Algorithm.EDDSA)
    code = (
        "import sys\n"
        "from swarm_ledger.signers import open_signer\n"
        "for number in range(40):\n"
        "    open_signer(sys.argv[1]).sign(b'%d' % number)\n"
    )
    at_once = [
        subprocess.Popen([sys.executable, "-c", code, uri], stderr=subprocess.PIPE, text=True)
        for uri in uris
    ]
    said = [process.communicate(timeout=120)[1] for process in at_once]
    assert [process.returncode for process in at_once] == [0] * 4, said
