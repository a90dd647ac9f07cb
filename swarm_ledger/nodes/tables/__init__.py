# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The nodes' parameters: a module for each node, with its TABLE. Needs no ROS 2.

To add a node, add its module here, and run scripts/parameter_pages.py.
"""

from __future__ import annotations

import importlib
import pkgutil

from swarm_ledger.nodes.parameters import Table


def tables() -> dict[str, Table]:
    """Return all tables, by the node's name."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    every: list[Table] = [module.TABLE for module in modules]
    return {table.node: table for table in every}
