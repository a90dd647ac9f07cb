# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_swarm import Swarm

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.checkpoint import Checkpoint, log_key, sign_checkpoint
from swarm_ledger.ledger.note import Note, NoteVerifier
from swarm_ledger.ledger.policy import MAX_DEFINITIONS, Group, Policy

SWARM = Swarm(7, 5)
HEAD = Checkpoint(SWARM.origin, 5, bytes(range(32)))
LOG = log_key(SWARM.origin, SWARM.public["drone_1"]).vkey
KEYS = [SWARM.witness(name).vkey for name in SWARM.names]


def policy(*lines: str) -> Policy:
    return Policy.parse("".join(line + "\n" for line in lines).encode())


def note(witnesses: list[str], log: str | None = "drone_1") -> bytes:
    lines = [SWARM.cosignature(HEAD, name) for name in witnesses]
    if log:
        lines.insert(0, SWARM.log_line(HEAD, log))
    return Note(HEAD.text, tuple(lines)).encode()


def test_for_swarm_lists_each_validator_as_log_and_witness() -> None:
    made = SWARM.policy
    lines = made.text.decode().splitlines()
    assert len(lines) == 16
    assert lines[0] == f"log {LOG}"
    assert lines[7] == f"witness drone_1 {KEYS[0]}"
    assert lines[14:] == [f"group validators 5 {' '.join(SWARM.names)}", "quorum validators"]
    assert [v.name for v in made.logs] == [SWARM.origin] * 7
    again = Policy.parse(made.text)
    assert (again.logs, again.witnesses, again.groups) == (made.logs, made.witnesses, made.groups)


@pytest.mark.parametrize("count", range(8))
def test_a_quorum_and_any_log_are_needed(count: int) -> None:
    for log in ("drone_1", "drone_7"):
        data = note(SWARM.names[-count:] if count else [], log)
        if count >= 5:
            checked = SWARM.policy.examine(data)
            assert checked.checkpoint == HEAD
            assert checked.witnesses == tuple(SWARM.names[-count:])
            key = log_key(SWARM.origin, SWARM.public[log])
            assert checked.logs == (key.key_id.hex(),)
        else:
            with pytest.raises(NotVerified, match="quorum"):
                SWARM.policy.check(data)
    with pytest.raises(NotVerified, match=r"no known key|no log"):
        SWARM.policy.check(note(SWARM.names[-count:] if count else ["drone_1"], None))


def test_exact_refuses_every_line_that_nothing_needs() -> None:
    assert SWARM.policy.examine(note(SWARM.names[:5]), exact=True).checkpoint == HEAD
    with pytest.raises(NotVerified, match="drone_1 is not needed"):
        SWARM.policy.examine(note(SWARM.names[:6]), exact=True)
    parsed = Note.parse(note(SWARM.names[:5]))
    stranger = Swarm(1, 1, "stranger.example").log_line(HEAD_OF_STRANGER)
    for extra in (stranger, SWARM.log_line(HEAD, "drone_2")):
        more = Note(parsed.text, (*parsed.signatures, extra)).encode()
        assert SWARM.policy.check(more) == HEAD
        with pytest.raises(NotVerified, match="nothing needs"):
            SWARM.policy.examine(more, exact=True)


HEAD_OF_STRANGER = Checkpoint("stranger.example", 5, bytes(range(32)))


def test_another_origins_checkpoint_is_refused_even_when_all_have_signed_it() -> None:
    other = Checkpoint("other.example/log", 5, HEAD.root)
    key = log_key(SWARM.origin, SWARM.public["drone_1"])
    lines = (
        key.sign(SWARM.sign("drone_1"), other.text),
        *(SWARM.cosignature(other, name) for name in SWARM.names),
    )
    with pytest.raises(NotVerified, match=r"no log of the policy named 'other\.example/log'"):
        SWARM.policy.check(Note(other.text, lines).encode())
    foreign = sign_checkpoint(other, SWARM.public["drone_1"], SWARM.sign("drone_1"))
    with pytest.raises(NotVerified, match="no log"):
        SWARM.policy.check(Note(other.text, (foreign, *lines[1:])).encode())


def test_a_bad_cosignature_spoils_a_note_that_has_its_quorum_without_it() -> None:
    parsed = Note.parse(note(SWARM.names))
    wrong = SWARM.cosignature(HEAD_OF_STRANGER, "drone_7")
    with pytest.raises(NotVerified, match="drone_7"):
        SWARM.policy.check(Note(parsed.text, (*parsed.signatures[:-1], wrong)).encode())


def test_nested_groups() -> None:
    nested = policy(
        f"log {LOG}",
        *(f"witness {'XXXYYYY'[i]}{i} {key}" for i, key in enumerate(KEYS[:6])),
        "group X 2 X0 X1 X2",
        "group Y any Y3 Y4 Y5",
        "group both all X Y",
        "quorum both",
    )
    assert nested.groups["both"] == Group(2, ("X", "Y"))
    for holders, enough in (
        ({"X0", "X1", "Y5"}, True),
        ({"X0", "X1", "X2"}, False),
        ({"X0", "Y3", "Y4", "Y5"}, False),
        ({"X0", "X1", "X2", "Y3", "Y4", "Y5"}, True),
        ({"both"}, False),
        (set(), False),
    ):
        assert nested.satisfied(holders) is enough
    assert nested.check(note(["drone_1", "drone_3", "drone_6"])) == HEAD


def test_single_witness_and_no_witness() -> None:
    single = policy(f"log {LOG}", f"witness w {KEYS[2]}", "quorum w")
    assert single.examine(note(["drone_3"])).witnesses == ("w",)
    with pytest.raises(NotVerified):
        single.check(note(["drone_4"]))
    nobody = policy(f"log {LOG}", "quorum none")
    assert nobody.check(note([])) == HEAD
    no_log = policy("quorum none")
    with pytest.raises(NotVerified):
        no_log.check(note(SWARM.names))


def test_spaces_tabs_comments_urls_and_opaque_names() -> None:
    free = Policy.parse(
        b"# a comment \xff\n \t\n\t log \t "
        + LOG.encode()
        + b"  https://log.example/ \nwitness \xff\xfe "
        + KEYS[0].encode()
        + b"\thttps://w.example\nwitness \xe2\x84\xaa "
        + KEYS[1].encode()
        + b"\n  # another\ngroup K all \xff\xfe \xe2\x84\xaa\nquorum K\n"
    )
    assert free.check(note(["drone_1", "drone_2"])) == HEAD
    with pytest.raises(NotVerified):
        free.check(note(["drone_1"]))


def test_deeply_nested_groups_do_not_exhaust_the_stack() -> None:
    lines = [f"log {LOG}", f"witness g0 {KEYS[0]}"]
    lines += [f"group g{i} all g{i - 1}" for i in range(1, 1000)]
    assert policy(*lines, "quorum g999").check(note(["drone_1"])) == HEAD


W = [f"witness w{i} {KEYS[i]}" for i in range(3)]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["quorum none", "quorum none"], "line 2: .*second quorum"),
        ([f"log {LOG}"], "line 2: .*without a quorum"),
        ([], "without a quorum"),
        (["quorum w"], "line 1: no witness or group named w"),
        ([*W, "group g 1 w0 w9"], "line 4: .*w9"),
        ([*W, "group g 1 none"], "line 4: .*none"),
        ([*W, "group g 1 g"], "line 4: .*named g"),
        ([*W, "group g 0 w0"], "line 4: .*'0'"),
        ([*W, "group g 01 w0"], "line 4: .*'01'"),
        ([*W, "group g +1 w0"], "line 4"),
        ([*W, "group g ALL w0"], "line 4"),
        ([*W, "group g 3 w0 w1"], "line 4: .*2 members"),
        ([*W, "group g any"], "line 4: it is none of"),
        ([*W, "group g any w0 w0"], "line 4: w0 is already"),
        ([*W, "group g any w0", "group h any w0"], "line 5: w0 is already"),
        ([*W, "group w0 any w1"], "line 4: the name w0 is taken"),
        ([*W, "group none any w1"], "line 4: the name none is taken"),
        ([W[0], f"witness w0 {KEYS[1]}"], "line 2: the name w0 is taken"),
        ([W[0], f"witness other {KEYS[0]}"], "line 2: .*listed before"),
        ([f"log {LOG}", f"log {LOG}"], "line 2: .*listed before"),
        ([f"witness w {LOG}"], "line 1: .*0x04"),
        (["witness none " + KEYS[0]], "taken"),
        (["witness w"], "line 1: it is none of"),
        (["log"], "line 1: it is none of"),
        ([f"log {LOG} url more"], "line 1: it is none of"),
        (["quorum"], "line 1: it is none of"),
        (["quorum none none"], "line 1: it is none of"),
        (["Log " + LOG], "line 1: it is none of"),
        (["log " + LOG[:-4]], "line 1"),
        (["log " + LOG.replace("+", "-")], "line 1: .*verifier key"),
        (["# fine", "log a\rb"], "line 2: .*control"),
        (["# \x7f"], "line 1: .*control"),
        (["quorum\x0bnone"], "line 1: .*control"),
        (["quorum\u00a0none"], "line 1: it is none of"),
    ],
)
def test_errors_name_the_line(lines: list[str], says: str) -> None:
    with pytest.raises(Misuse, match=says):
        policy(*lines)


def test_cut_files_and_undecodable_key_names_are_misuse() -> None:
    with pytest.raises(Misuse, match=r"line 1: .*newline"):
        Policy.parse(b"quorum none")
    with pytest.raises(Misuse, match=r"line 1: .*UTF-8"):
        Policy.parse(b"log \xff" + LOG.encode() + b"\nquorum none\n")
    with pytest.raises(Misuse, match="bytes"):
        Policy.parse(b"#" * (1 << 22))
    with pytest.raises(Misuse, match="definitions"):
        policy(
            W[0], *(f"group g{i} any {f'g{i - 1}' if i else 'w0'}" for i in range(MAX_DEFINITIONS))
        )


@pytest.mark.parametrize(
    ("keys", "quorum", "origin"),
    [
        ({}, 1, "o"),
        (SWARM.public, 0, "o"),
        (SWARM.public, 8, "o"),
        (SWARM.public, 5, "has space"),
        (SWARM.public, 5, ""),
        ({"a b": bytes(32)}, 1, "o"),
        ({"none": bytes(32)}, 1, "o"),
        ({"validators": bytes(32)}, 1, "o"),
        ({"a": bytes(31)}, 1, "o"),
        ({"a": bytes(32), "b": bytes(32)}, 1, "o"),
        ({"a\nquorum none": bytes(32)}, 1, "o"),
    ],
)
def test_impossible_swarms_are_misuse(keys: dict[str, bytes], quorum: int, origin: str) -> None:
    with pytest.raises(Misuse):
        Policy.for_swarm(origin, keys, quorum)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_policy_or_misuse(data: bytes) -> None:
    for text in (data, b"witness w " + KEYS[0].encode() + b"\n" + data):
        try:
            parsed = Policy.parse(text)
        except Misuse:
            continue
        assert parsed.quorum in ("none", *parsed.witnesses, *parsed.groups)


def test_a_key_id_shared_by_two_keys_spoils_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four bytes: a liar can make such a pair in seconds, and must not spoil others' proofs."""
    monkeypatch.setattr(NoteVerifier, "key_id", property(lambda _: b"same"))
    assert len(Policy.for_swarm("o", {"a": bytes(32), "b": bytes([1]) * 32}, 1).logs) == 2
