# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""URIs of keys: RFC 7512's examples, TPM keys, and every slip of the pen."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.errors import Misuse
from swarm_ledger.signers.pkcs11_uri import parse_pkcs11_uri
from swarm_ledger.signers.tpm2 import DEFAULT_TCTI, parse_tpm2_uri


def test_the_examples_of_the_rfc() -> None:
    """RFC 7512, section 3, as far as they mean a private key."""
    uri = parse_pkcs11_uri(
        "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.;"
        "model=1.0;object=my-certificate;type=private;id=%69%95%3E%5C%F4%BD%EC%91;serial="
        "?pin-source=file:/etc/token_pin"
    )
    assert dict(uri.place) == {
        "token": "Software PKCS#11 softtoken",
        "manufacturer": "Snake Oil, Inc.",
        "model": "1.0",
        "serial": "",
    }
    assert (uri.object, uri.id) == ("my-certificate", b"\x69\x95\x3e\x5c\xf4\xbd\xec\x91")
    assert uri.pin_source == "file:/etc/token_pin"
    uri = parse_pkcs11_uri(
        "pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1"
    )
    assert (uri.object, uri.id, uri.module_path) == ("my-sign-key", None, "/mnt/libmypkcs11.so.1")
    assert parse_pkcs11_uri("pkcs11:object=x?module-name=mypkcs11").module_name == "mypkcs11"
    uri = parse_pkcs11_uri("pkcs11:slot-description=Sun%20Metaslot;slot-id=7;id=%01")
    assert dict(uri.place) == {"slot-description": "Sun Metaslot", "slot-id": "7"}


def test_everything_that_may_stand_unencoded_does() -> None:
    uri = parse_pkcs11_uri("pkcs11:object=a:[]@!$'()*+,=&-._~?module-path=/a:[]@!$'()*+,=/?|-._~")
    assert uri.object == "a:[]@!$'()*+,=&-._~"
    assert uri.module_path == "/a:[]@!$'()*+,=/?|-._~"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "starts with pkcs11:"),
        ("PKCS11:object=x", "starts with pkcs11:"),
        ("pkcs11:", "must say which key"),
        ("pkcs11:token=x", "must say which key"),
        ("pkcs11:id=", "must say which key"),
        ("pkcs11:object", "no attribute 'object'"),
        ("pkcs11:;object=x", "no attribute ''"),
        ("pkcs11:object=x;", "no attribute ''"),
        ("pkcs11:obj=x", "no attribute 'obj'"),
        ("pkcs11:Object=x", "no attribute 'Object'"),
        ("pkcs11:x-vendor=1;object=x", "no attribute 'x-vendor'"),
        ("pkcs11:object=x;object=x", "object stands twice"),
        ("pkcs11:object=x;token=a;token=b", "token stands twice"),
        ("pkcs11:object=x;pin-source=env:A", "no attribute 'pin-source' there"),
        ("pkcs11:object=x?token=a", "no attribute 'token' there"),
        ("pkcs11:object=x?", None),
        ("pkcs11:object=x?pin_source=env:A", "no attribute 'pin_source'"),
        ("pkcs11:object=x?pin-source=env:A&pin-source=env:A", "pin-source stands twice"),
        ("pkcs11:object=x?pin-source=env:A&pin-value=1", "both pin-source and pin-value"),
        ("pkcs11:object=x?module-name=a&module-path=/b", "both module-name and module-path"),
        ("pkcs11:object=x;type=cert", "must mean a private key"),
        ("pkcs11:object=x;type=public", "must mean a private key"),
        ("pkcs11:object=a b", "percent-encoded"),
        ("pkcs11:object=a/b", "percent-encoded"),
        ("pkcs11:object=a%2", "percent-encoded"),
        ("pkcs11:object=a%zz", "percent-encoded"),
        ("pkcs11:object=ä", "percent-encoded"),
        ("pkcs11:object=x#y", "percent-encoded"),
        ("pkcs11:object=x?module-path=/a b", "percent-encoded"),
        ("pkcs11:object=%FF", "must be UTF-8"),
        ("pkcs11:object=a%00b", "zero byte"),
        ("pkcs11:object=x?pin-source=%FF", "must be UTF-8"),
        ("pkcs11:object=x;slot-id=one", "slot-id must be a number"),
        ("pkcs11:object=x;slot-id=-1", "slot-id must be a number"),
        ("pkcs11:object=x;slot-id=", "slot-id must be a number"),
        ("pkcs11:object=x;library-version=2.x", "library-version"),
        ("pkcs11:object=x;library-version=02", "library-version"),
    ],
)
def test_uris_of_tokens_that_are_none(uri: str, said: str | None) -> None:
    if said is None:
        parse_pkcs11_uri(uri)
        return
    with pytest.raises(Misuse) as caught:
        parse_pkcs11_uri(uri)
    assert said in caught.value.explain()


def test_a_pin_in_a_uri_is_never_shown() -> None:
    uri = parse_pkcs11_uri("pkcs11:object=x?pin-value=hunter2")
    assert uri.pin_value == "hunter2"
    assert "hunter2" not in repr(uri) + uri.key + uri.token
    for spoilt in ("pkcs11:token=x?pin-value=hunter2", "pkcs11:object=x?pin-value=hunter2%&a=b"):
        with pytest.raises(Misuse) as caught:
            parse_pkcs11_uri(spoilt)
        assert "hunter2" not in caught.value.explain()


@given(st.text(max_size=60))
def test_any_text_is_a_uri_or_misuse(text: str) -> None:
    for uri in (text, f"pkcs11:{text}", f"pkcs11:object=x;{text}", f"pkcs11:object=x?{text}"):
        try:
            parsed = parse_pkcs11_uri(uri)
        except Misuse:
            continue
        assert parsed.object is not None or parsed.id


def test_keys_in_tpms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPM2TOOLS_TCTI", raising=False)
    uri = parse_tpm2_uri("tpm2:0x81000001")
    assert (uri.handle, uri.tcti, uri.auth, uri.pcrs) == (0x81000001, DEFAULT_TCTI, "", "")
    uri = parse_tpm2_uri(
        "tpm2:a%20b/key.tpm2?tcti=swtpm:host=127.0.0.1,port=2321&auth=env:A&pcrs=sha256:0,7",
        Path("/run"),
    )
    assert (uri.handle, uri.path) == (None, Path("/run/a b/key.tpm2"))
    assert uri.tcti == "swtpm:host=127.0.0.1,port=2321"
    assert (uri.auth, uri.pcrs) == ("env:A", "sha256:0,7")
    monkeypatch.setenv("TPM2TOOLS_TCTI", "mssim")
    assert parse_tpm2_uri("tpm2:key").tcti == "mssim"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "tpm2",
        "tpm2:",
        "tpm2:?tcti=x",
        "tpm2:0x80000001",
        "tpm2:0x8100001",
        "tpm2:0x810000011",
        "tpm2:0X81000001",
        "tpm2:a%00b",
        "tpm2:key?",
        "tpm2:key?tcti",
        "tpm2:key?tcti=",
        "tpm2:key?tcti=a&tcti=b",
        "tpm2:key?password=x",
        "tpm2:key?pcrs=0,7",
        "tpm2:key?pcrs=sha256:",
        "tpm2:key?pcrs=sha256:0,,7",
        "tpm2:key?pcrs=md5:0",
    ],
)
def test_uris_of_tpms_that_are_none(uri: str) -> None:
    with pytest.raises(Misuse):
        parse_tpm2_uri(uri)
