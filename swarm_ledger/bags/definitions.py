# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Definitions of message types, with all that they are made of, as rosbag2 embeds them."""

from __future__ import annotations

import re
from collections.abc import Callable

from swarm_ledger.errors import Misuse

_BREAK = "=" * 80
_FIELD = re.compile(r"([a-zA-Z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[a-zA-Z]\w*")
_BASIC = re.compile(r"(bool|byte|char|float(32|64)|u?int(8|16|32|64)|w?string)\Z")


def definition_of(type_name: str, find: Callable[[str], str | None]) -> str:
    """Return the definition of "package/msg/Name" with those that it needs, each once.

    find: returns the text of one type's .msg file, None where there is none: Misuse.
    """
    texts: dict[str, str] = {}
    waiting = [type_name]
    while waiting:
        name = waiting.pop(0)
        if name in texts:
            continue
        found = find(name)
        if found is None:
            raise Misuse(f"the definition of {name} isn't installed here.")
        texts[name] = found
        waiting += _needed(found, name.split("/")[0])
    first, *others = texts.items()
    parts = [first[1].rstrip("\n")]
    parts += [
        f"{_BREAK}\nMSG: {name.replace('/msg/', '/')}\n{text.rstrip()}" for name, text in others
    ]
    return "\n".join(parts) + "\n"


def _needed(text: str, package: str) -> list[str]:
    names = []
    for line in text.splitlines():
        field = _FIELD.match(line.split("#")[0].strip())
        if field and not _BASIC.match(field[1]):
            name = field[1] if "/" in field[1] else f"{package}/{field[1]}"
            names.append(name if "/msg/" in name else name.replace("/", "/msg/"))
    return names
