# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a fleet file may say: one YAML, checked whole, its errors told with line and suggestion."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Literal, get_args

import msgspec
import yaml
from msgspec import Meta

from swarm_ledger.errors import Misuse
from swarm_ledger.relay.anchor import LEAST_ANCHOR_MS
from swarm_ledger.transport.radio import Link

Transport = Literal["ros", "zmq"]
FleetRole = Literal["validator", "voter", "observer"]
Profile = Literal["lpwan"]

_MAX_FLEET_BYTES = 1 << 18
_NESTING = (b"[", b"{", b"-", b"?")
_MAX_NESTING = 4096
"""What opens a collection in YAML, at most: the parser recurses, and would end the process."""
_MAX_NODES = 20_000
"""Keys and values, each alias written out: one of a map that merges aliases doubles it."""
_MERGE = "tag:yaml.org,2002:merge"

_Path = Annotated[str, Meta(pattern=r"\A[^\x00]*\Z")]
_Topic = Annotated[str, Meta(pattern=r"\A/?[A-Za-z_*?\[][\w/*?\[\]!-]*\Z", max_length=255)]
_Topics = Annotated[list[_Topic], Meta(max_length=64)]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Some settings: no others are taken, and what is as if left out is left out in writing."""


class LedgerEntry(_Entry, frozen=True):
    """How a drone keeps its ledger. max_bytes: how large it may grow; 0 for an archive."""

    max_bytes: Annotated[int, Meta(ge=0)] = 0


class SignEntry(_Entry, frozen=True):
    """Which topics a drone's relay signs; relative names and patterns are the drone's own.

    topics: message by message; batched: by windows of window_ms. announce_ms: how often a
    delegation comes along; anchor_ms: how often the ledger is to hold what was signed, 0: never.
    """

    topics: _Topics = []
    batched: _Topics = []
    window_ms: Annotated[int, Meta(ge=1, le=1_000)] = 50
    announce_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1_000
    anchor_ms: Annotated[int, Meta(ge=0, le=3_600_000)] = 30_000


class DroneEntry(_Entry, frozen=True):
    """One drone. key: URI of its root key; folder: where its ledger is; endpoint: for ZeroMQ.

    name: a label for people and commands; who it is follows from its key. id: what the roster
    knows it by, where it has another name there. channel: the file of its channel keys,
    channel.key in its folder if left out. roles: what it does, which must be what the roster says.
    ledger, sign: where that is not as the fleet says. attack: only in simulation, how it lies.
    Paths are relative to the fleet file.
    """

    name: str
    key: _Path
    folder: _Path
    endpoint: str = ""
    attack: str = ""
    id: Annotated[str, Meta(pattern=r"\A([0-9a-f]{32})?\Z")] = ""
    channel: _Path = ""
    roles: list[FleetRole] | None = None
    ledger: LedgerEntry | None = None
    sign: SignEntry | None = None


class ConsensusEntry(_Entry, frozen=True):
    """The protocol parameters that a fleet may set; milliseconds."""

    request_timeout_ms: Annotated[int, Meta(ge=10)] = 2_000
    batch_delay_ms: Annotated[int, Meta(ge=0)] = 10
    resend_ms: Annotated[int, Meta(ge=1)] = 250
    interval: Annotated[int, Meta(ge=1)] = 16


class RadioEntry(_Entry, frozen=True):
    """What the drones' radios share, and that all times follow from that. bitrate: on the air,
    bits a second; duty_cycle: the share of time that each drone may be on the air.
    """

    bitrate: Annotated[int, Meta(ge=100, le=1_000_000)]
    duty_cycle: Annotated[float, Meta(gt=0, le=1)] = 1.0
    profile: Profile = "lpwan"

    def link(self) -> Link:
        """Return the channel."""
        return Link(self.bitrate, duty_cycle=self.duty_cycle)


class WorldEntry(_Entry, frozen=True):
    """The built-in world: what stands in it, and the seed of everything about it."""

    target: str
    seed: int


class FleetFile(_Entry, frozen=True):
    """What a fleet file holds. roster: the roster directory; question: a sealed one to submit.

    transport: what carries what drones say to each other, where they run ROS 2. secrecy: whether
    they encrypt it, and hear nothing else. rules: files of sealed rules to submit. radio: the
    narrow channel that they share, if they do.
    """

    roster: _Path
    drones: Annotated[list[DroneEntry], Meta(min_length=1)]
    transport: Transport = "ros"
    consensus: ConsensusEntry = ConsensusEntry()
    looks: Annotated[int, Meta(ge=1, le=1000)] = 5
    question: _Path = ""
    rules: Annotated[list[_Path], Meta(max_length=64)] = []
    world: WorldEntry | None = None
    secrecy: bool = False
    ledger: LedgerEntry = LedgerEntry()
    sign: SignEntry | None = None
    radio: RadioEntry | None = None


_STRUCTS: dict[str, type[msgspec.Struct]] = {
    "": FleetFile,
    "drones": DroneEntry,
    "consensus": ConsensusEntry,
    "ledger": LedgerEntry,
    "radio": RadioEntry,
    "sign": SignEntry,
    "world": WorldEntry,
}
_CHOICES = {
    "transport": get_args(Transport),
    "roles": get_args(FleetRole),
    "profile": get_args(Profile),
}

_Step = str | int

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FleetText:
    """A fleet file's text, which knows in which line each of its settings is."""

    def __init__(self, name: str, raw: bytes) -> None:
        """Parse YAML. Misuse where it is none, too large, or has a key twice."""
        self._name = name
        if len(raw) > _MAX_FLEET_BYTES or sum(map(raw.count, _NESTING)) > _MAX_NESTING:
            raise Misuse(f"{name} is too large to be a fleet file.")
        try:
            self.file = self._decoded(raw)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._wrong(f"{error.problem or error.context}", mark) from error
        except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:
            # The last three are YAML's own: a date that is none, a tag that does not fit.
            raise Misuse(f"{name} is not a valid fleet file: {error}.") from error

    def wrong(self, what: str, *path: _Step, remedy: str = "") -> Misuse:
        """Return the error that says what is wrong with the setting at a path, and its line."""
        return self._wrong(what, self._mark(path), remedy)

    def _decoded(self, raw: bytes) -> FleetFile:
        """Return the settings, made from the same nodes that know their lines."""
        loader = _LOADER(raw)
        try:
            self._root: yaml.Node | None = loader.get_single_node()
            settings = None
            if self._root is not None:
                self._check(self._root, {})
                settings = loader.construct_document(self._root)
            return msgspec.convert(settings, FleetFile)
        except msgspec.ValidationError as error:
            raise self._explained(str(error)) from error
        finally:
            loader.dispose()

    def _explained(self, said: str) -> Misuse:
        """Return msgspec's complaint with its line, and what was probably meant."""
        what, _, where = said.partition(" - at `$")
        path = _steps(where.rstrip("`"))
        names = [step for step in path if isinstance(step, str)]
        last = names[-1] if names else ""
        unknown = re.search(r"unknown field `(.*)`", what, re.S)
        if unknown:
            known = _STRUCTS[last].__struct_fields__ if last in _STRUCTS else ()
            remedy = _suggestion(unknown[1], known)
            return self.wrong(
                f"there is no setting {unknown[1]!r} here", *path, unknown[1], remedy=remedy
            )
        value = re.search(r"enum value '(.*)'", what, re.S)
        if value and last in _CHOICES:
            remedy = _suggestion(value[1], _CHOICES[last])
            return self.wrong(f"{last} can't be {value[1]!r}", *path, remedy=remedy)
        return self.wrong(f"{f'{last}: ' * bool(last)}{what[:1].lower()}{what[1:]}", *path)

    def _check(self, node: yaml.Node, sizes: dict[int, int]) -> int:
        """Return how many keys and values a node is, each alias written out; refuse too many.

        Also a key that is there twice: YAML would take the last, whatever was meant.
        """
        if id(node) in sizes:
            return sizes[id(node)]
        sizes[id(node)] = _MAX_NODES  # until it is known: what holds itself has no end
        size = 1
        if isinstance(node, yaml.SequenceNode):
            size += sum(self._check(item, sizes) for item in node.value)
        elif isinstance(node, yaml.MappingNode):
            self._refuse_doubles(node)
            for pair in node.value:
                size += sum(self._check(item, sizes) for item in pair)
        if size > _MAX_NODES:
            raise self._wrong("it is too large, its aliases written out", node.start_mark)
        sizes[id(node)] = size
        return size

    def _refuse_doubles(self, node: yaml.MappingNode) -> None:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in first:
                    what = f"{key.value} is set twice, first in line {first[key.value]}"
                    raise self._wrong(what, key.start_mark)
                first[key.value] = key.start_mark.line + 1

    def _mark(self, path: Iterable[_Step]) -> yaml.Mark | None:
        """Return where a setting is; of one that isn't there, where it would have to be."""
        node, mark = self._root, self._root.start_mark if self._root else None
        for step in path:
            following: yaml.Node | None = None
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                following = node.value[step] if step < len(node.value) else None
            elif isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == step:
                        following, mark = value, key.start_mark
            if following is None:
                return mark
            node = following
            if isinstance(step, int):
                mark = node.start_mark
        return mark

    def _wrong(self, what: str, mark: yaml.Mark | None, remedy: str = "") -> Misuse:
        line = f", line {mark.line + 1}" if mark else ""
        return Misuse(f"{self._name}{line}: not a valid fleet file: {what}.", remedy=remedy)


def parse_fleet_file(name: str, raw: bytes) -> FleetText:
    """Return a fleet file's text with its settings, all checked that can be from it alone.

    name: for errors. Misuse says what is wrong, in which line, and what was probably meant.
    """
    text = FleetText(name, raw)
    file = text.file
    for field in ("name", "key", "folder", "id", "endpoint"):
        _refuse_shared(text, field)
    if file.transport == "zmq":
        for place, entry in enumerate(file.drones):
            if not entry.endpoint:
                raise text.wrong(
                    f"{entry.name} has no endpoint, and transport is zmq",
                    *("drones", place),
                    remedy="Give it one, such as endpoint: tcp://10.0.0.1:7400.",
                )
    if file.radio is not None and file.secrecy:
        raise text.wrong(
            "what is encrypted has no short forms, so secrecy is too much for a narrow channel",
            "radio",
            remedy="Leave out secrecy or radio.",
        )
    for place, entry in enumerate(file.drones):
        _check_sign(text, entry.sign, "drones", place, "sign")
    _check_sign(text, file.sign, "sign")
    return text


def _refuse_shared(text: FleetText, field: str) -> None:
    """Refuse two drones with one name, key, folder, id or address."""
    owners: dict[str, str] = {}
    for place, entry in enumerate(text.file.drones):
        value = getattr(entry, field)
        if value in owners:
            what = f"{owners[value]} has the {field} {value!r} already"
            raise text.wrong(what, "drones", place, field)
        if value:
            owners[value] = entry.name


def _check_sign(text: FleetText, sign: SignEntry | None, *path: _Step) -> None:
    if sign is not None and 0 < sign.anchor_ms < LEAST_ANCHOR_MS:
        raise text.wrong(
            f"anchor_ms is {sign.anchor_ms}, and the ledger takes no anchors that often",
            *path,
            "anchor_ms",
            remedy=f"Give 0, to anchor nothing, or {LEAST_ANCHOR_MS} and more.",
        )


def _steps(path: str) -> list[_Step]:
    """Return msgspec's path, such as ".drones[0].name", step by step."""
    found = re.findall(r"\.(\w+)|\[(\d+)\]", path)
    return [name or int(place) for name, place in found]


def _suggestion(given: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(given, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known are {', '.join(names)}."
