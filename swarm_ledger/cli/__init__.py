# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The `swarm-ledger` command.

Exit codes: 0 it holds; 1 it does not (a proof, a ledger, an agreement); 2 it was asked wrongly.
"""

from __future__ import annotations

import sys
import warnings

from swarm_ledger.errors import Misuse, SwarmLedgerError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130


def _warn(message: Warning | str, *_: object) -> None:
    print(f"swarm-ledger: careful: {message}.", file=sys.stderr)


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from swarm_ledger.cli.app import app  # noqa: PLC0415  - takes a while; Ctrl-C may come

        with warnings.catch_warnings():
            warnings.showwarning = _warn  # type: ignore[assignment]
            app()
    except SwarmLedgerError as error:
        print(f"swarm-ledger: {error.explain()}", file=sys.stderr)
        sys.exit(MISUSED if isinstance(error, Misuse) else FAILED)
    except BrokenPipeError:
        sys.exit(FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"swarm-ledger: {where}{error.strerror}. Check the path and its permissions.",
            file=sys.stderr,
        )
        sys.exit(MISUSED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
