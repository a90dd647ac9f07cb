# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger perception`: what the classifier makes of pictures, and how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.errors import Misuse
from swarm_ledger.perception import LABELS, load
from swarm_ledger.perception.report import Report
from swarm_ledger.sim.evaluation import evaluate

app = typer.Typer(help="What the classifier sees, and how good it is.", no_args_is_help=True)

Model = Annotated[
    str | None, typer.Option("--model", help="An .npz or .onnx file instead of the shipped one.")
]


@app.command()
def label(
    images: Annotated[list[Path], typer.Argument(help="Pictures: PNG, JPEG and the like.")],
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Say what is on pictures: cup, two_faces or unknown, with a calibrated confidence."""
    classifier = load(model)
    results = []
    for path in images:
        perceived = classifier.classify(_picture(path))
        results.append(
            {
                "image": str(path),
                "label": perceived.label,
                "confidence": round(perceived.confidence, 4),
                "probabilities": {k: round(p, 4) for k, p in perceived.probabilities.items()},
            }
        )
    if as_json:
        print_json({"images": results})
        return
    for result in results:
        said = f"[bold]{result['label']}[/] {result['confidence']:.2f}"
        console.print(f"{escape(str(result['image']))}: {said}")


def _picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB; Misuse for anything else."""
    if not path.is_file():
        raise Misuse(f"there is no picture {path}.")
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise Misuse(f"{path} is not a picture that can be read.", remedy="Try PNG or JPEG.")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


@app.command()
def report(
    seed: Annotated[int, typer.Option(min=0, help="Chooses the held-out worlds.")] = 0,
    images: Annotated[int, typer.Option(min=2, help="How many frames to render.")] = 400,
    hard: Annotated[
        bool, typer.Option("--hard", help="Only views that are murky, blurred or obstructed.")
    ] = False,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Measure on held-out rendered views: confusion matrix, accuracy, reliability."""
    classifier = load(model)
    with Progress(console=progress_console, transient=True) as bar:
        task = bar.add_task("rendering and judging", total=images)
        measured = evaluate(
            classifier,
            seed=seed,
            images=images,
            hard=hard,
            progress=lambda done, _: bar.update(task, completed=done),
        )
    if as_json:
        print_json(measured.to_dict())
        return
    _tell(measured)


def _tell(measured: Report) -> None:
    confusion = Table("it is", *LABELS, title=f"Said, of {measured.looks} held-out views")
    for truth, said in measured.confusion.items():
        confusion.add_row(truth, *(str(said.get(label, 0)) for label in LABELS))
    console.print(confusion)
    console.print(
        f"right {measured.right:.1%}, abstained {measured.abstained:.1%}, wrong "
        f"{measured.wrong:.1%}; right if it had to choose {measured.forced_choice:.1%}"
    )
    reliability = Table("confidence", "views", "mean confidence", "right", title="Reliability")
    for held in measured.bins:
        reliability.add_row(
            f"{held.low:.2f} to {held.high:.2f}",
            str(held.count),
            f"{held.confidence:.3f}",
            f"{held.accuracy:.3f}",
        )
    console.print(reliability)
    console.print(f"expected calibration error {measured.ece:.3f}")
