# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`python -m swarm_ledger` is the `swarm-ledger` command."""

from swarm_ledger.cli import main

if __name__ == "__main__":
    main()
