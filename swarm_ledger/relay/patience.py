# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How much of what is refused is looked at: a flood may cost a digest of its own, not ours."""

from __future__ import annotations

from collections import OrderedDict

_SECOND_US = 1_000_000
_REMEMBERED = 1024
"""Publishers. Who takes on a new identity for each message costs a verification each time."""


class Patience:
    """Stops listening, for the rest of a second, to a publisher with too many refused in it.

    Publishers are known by what the transport calls them, which proves nothing, but costs a
    flooder something to change. per_second: how many refused messages each may have judged.
    """

    def __init__(self, per_second: int = 200) -> None:
        self._per_second = per_second
        self._refused: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def spent(self, publisher: bytes, now_us: int) -> bool:
        """Whether what that publisher sends isn't looked at now (POSIX microseconds)."""
        second, refused = self._refused.get(publisher, (0, 0))
        return refused >= self._per_second and second == now_us // _SECOND_US

    def try_it(self, publisher: bytes, now_us: int) -> None:
        """Note that a message of that publisher was judged, and refused."""
        second, refused = self._refused.pop(publisher, (0, 0))
        now_s = now_us // _SECOND_US
        self._refused[publisher] = now_s, (refused if second == now_s else 0) + 1
        if len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)
