# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Write docs/parameters/: a page for each node, from the same tables as its descriptors.

--check: write nothing; exit code 1, with their names, if pages are not what they should be.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from swarm_ledger.nodes.parameters import Parameter, Table, Type  # noqa: E402
from swarm_ledger.nodes.tables import tables  # noqa: E402

FOLDER = ROOT / "docs" / "parameters"
_NOTE = "<!-- Written by scripts/parameter_pages.py from swarm_ledger/nodes/tables. -->"
_INDEX = "README.md"


def pages(found: dict[str, Table]) -> dict[str, str]:
    """Return the text of each page by its file name, the index among them."""
    every = {f"{node}.md": _page(table) for node, table in found.items()}
    return {_INDEX: _index(found), **every}


def _index(found: dict[str, Table]) -> str:
    rows = [
        f"| [`{table.node}`]({table.node}.md) | {_executables(table)} | {table.purpose} |"
        for table in found.values()
    ]
    return "\n".join(
        (
            "# Parameters",
            "",
            _NOTE,
            "",
            "A parameter that no node of a process declares is refused when it starts, with the",
            "nearest name; so is a value of another type or out of range. Where nothing else is",
            "said, a parameter is read-only: it is given at the start, and stays.",
            "",
            "| node | executables | |",
            "| --- | --- | --- |",
            *rows,
            "",
        )
    )


def _page(table: Table) -> str:
    kind = "A lifecycle node" if table.lifecycle else "A node"
    rows = [_row(parameter) for parameter in table.parameters]
    return "\n".join(
        (
            f"# Parameters of `{table.node}`",
            "",
            _NOTE,
            "",
            f"{table.purpose} {kind} of {_executables(table)}.",
            "",
            "| parameter | type | default | allowed | |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        )
    )


def _executables(table: Table) -> str:
    return ", ".join(f"`{name}`" for name in (*table.executables, *table.within))


def _row(parameter: Parameter) -> str:
    cells = (
        f"`{parameter.name}`",
        parameter.type.value,
        _default(parameter),
        _allowed(parameter),
        parameter.description + ("" if parameter.read_only else "; may be changed in flight"),
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "to be given"
    if parameter.type is Type.TEXTS:
        return "none"
    if parameter.type is Type.FLAG:
        return f"`{str(parameter.default).lower()}`"
    return f"`{parameter.default}`" if parameter.default != "" else "empty"


def _allowed(parameter: Parameter) -> str:
    said = []
    if parameter.span is not None:
        low, high = parameter.span
        said.append(f"{low} to {high}")
    if parameter.choices:
        said.append(", ".join(f"`{choice}`" for choice in parameter.choices))
    if parameter.constraints:
        said.append(parameter.constraints)
    return "; ".join(said)


def stale(folder: Path) -> list[str]:
    """Return the names of pages that are missing, not as they should be, or of no node."""
    wanted = pages(tables())
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    names = wanted.keys() | there.keys()
    return sorted(name for name in names if wanted.get(name) != there.get(name))


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which ones are stale")
    given = parser.parse_args()
    if given.check:
        wrong = stale(FOLDER)
        for name in wrong:
            print(f"{FOLDER / name} is stale: run scripts/parameter_pages.py.", file=sys.stderr)
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale(FOLDER):
        (FOLDER / name).unlink(missing_ok=True)
    for name, text in pages(tables()).items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
