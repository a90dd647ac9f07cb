# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How long tests wait for what has to come, and what they raise if it does not."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 120.0
"""Some hundred times what it takes on an idle machine."""


class Late(AssertionError):  # noqa: N818 - like the three faults, it names what happened
    """Something did not come in time: it hangs, or the machine was too busy.

    Once more tells which, so such a test is run again (pyproject.toml). Any other is not.
    """


_LOOK_S = 0.02
"""Between two looks at what another process does: each look takes from it what it needs itself."""


def pause() -> None:
    """Leave the processor to others for a moment."""
    time.sleep(_LOOK_S)


def until(
    what: str,
    holds: Callable[[], bool],
    also: Callable[[], object] = pause,
    seen: Callable[[], object] = str,
) -> None:
    """Wait until that holds, doing something else in between; Late tells what was seen instead."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() >= deadline:
            raise Late(f"waited {PATIENCE_S:g} s until {what}. {seen()}")
        also()
