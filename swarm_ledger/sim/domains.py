# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""ROS domains of their own for missions that fly at the same time on one machine."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from collections import deque
from pathlib import Path
from typing import IO

DOMAINS = range(1, 102)
"""Not the default one, and below 102, where DDS's ports stay clear of those of connections."""

_UDP = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
_FIRST_PORT = 7400
_PORTS = 250
"""Of each domain, by DDS's rules for ports."""

_kept: deque[IO[bytes]] = deque(maxlen=16)
"""The last ones that this process took: those of one before are held by its ports alone."""


def free_domain() -> int:
    """Return a domain in which nobody speaks here, and which no other process is given for now.

    Any, where all of them are taken, or where that can't be told.
    """
    tried = random.sample(DOMAINS, len(DOMAINS))
    heard = _heard()
    for domain in tried:
        if domain not in heard and _take(domain):
            return domain
    return tried[0]


def _take(domain: int) -> bool:
    """Lock the domain's file; the lock ends with this process."""
    folder = Path(tempfile.gettempdir()) / f"swarm_ledger-domains-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = (folder / str(domain)).open("wb")
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    if len(_kept) == _kept.maxlen:
        _kept[0].close()
    _kept.append(file)
    return True


def _heard() -> set[int]:
    """Return the domains on whose ports somebody listens."""
    ports: list[int] = []
    for table in _UDP:
        try:
            rows = table.read_text().splitlines()[1:]
        except OSError:
            continue
        ports += [int(row.split()[1].rpartition(":")[2], 16) for row in rows]
    return {(port - _FIRST_PORT) // _PORTS for port in ports if port >= _FIRST_PORT}
