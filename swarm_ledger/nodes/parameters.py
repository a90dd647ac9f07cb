# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a node can be told, as one table: descriptors and docs/parameters/ are made from it.

Needs no ROS 2, so that pages, launch files and tests can read tables anywhere.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

Value: TypeAlias = bool | int | float | str | list[str] | None


class Type(Enum):
    """What a parameter holds, by ROS's name for it."""

    FLAG = "bool"
    WHOLE = "int"
    NUMBER = "double"
    TEXT = "string"
    TEXTS = "string[]"


@dataclass(frozen=True)
class Parameter:
    """One parameter. description: a phrase with its unit, without a full stop.

    default: None for one that has to be given; TEXTS are empty unless they are given. span: the
    least and the greatest value of a number, both allowed. choices: the texts that are allowed.
    constraints: what else has to hold, for people. read_only: only given at the start.
    """

    name: str
    type: Type
    default: bool | int | float | str | None
    description: str
    span: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    constraints: str = ""
    read_only: bool = True

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return self.default is None and self.type is not Type.TEXTS


@dataclass(frozen=True)
class Table:
    """A node's parameters. purpose: of the node, a sentence; executables: that start it.

    within: those in whose process it runs as well, and is told by them what has to be given.
    lifecycle: whether it is a managed node.
    """

    node: str
    purpose: str
    executables: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    lifecycle: bool = False
    within: tuple[str, ...] = ()

    def named(self, name: str) -> Parameter:
        """Return the parameter of that name; KeyError if the table has none."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)


AUTOSTART = Parameter(
    "autostart",
    Type.FLAG,
    True,
    "configure and activate the node at its start; false: a lifecycle manager does",
)
"""Each lifecycle node has it."""


def text(
    name: str,
    description: str,
    default: str | None = None,
    choices: tuple[str, ...] = (),
    constraints: str = "",
) -> Parameter:
    """Return a text, which has to be given unless it has a default."""
    return Parameter(name, Type.TEXT, default, description, None, choices, constraints)


def texts(name: str, description: str, constraints: str = "") -> Parameter:
    """Return a list of texts, empty unless it is given."""
    return Parameter(name, Type.TEXTS, None, description, constraints=constraints)


def whole(
    name: str, description: str, default: int, span: tuple[int, int], constraints: str = ""
) -> Parameter:
    """Return a whole number within a span, its ends included."""
    return Parameter(name, Type.WHOLE, default, description, span, constraints=constraints)


def number(
    name: str,
    description: str,
    default: float,
    span: tuple[float, float],
    constraints: str = "",
) -> Parameter:
    """Return a number within a span, its ends included."""
    return Parameter(name, Type.NUMBER, default, description, span, constraints=constraints)


def flag(name: str, description: str, default: bool = False) -> Parameter:
    """Return a flag."""
    return Parameter(name, Type.FLAG, default, description)


RADIO_DOMAIN = whole(
    "radio_domain", "ROS domain of the signed topic; -1: the node's own", -1, (-1, 232)
)
SIGNED_TOPIC = text("signed_topic", "where signed messages travel", "/swarm/signed")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names what was probably meant, or all there is to choose from."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]}?" if near else f"It knows {', '.join(names)}."
