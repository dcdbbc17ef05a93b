"""Run every notebook on its own parameters, keep the output of the key figures, strip everything else."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CHECKED = "nbval-check-output"


def strip(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Leave code, prose and the checked text; what differs from machine to machine goes."""
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata.tags} if cell.metadata.get("tags") else {}
        if cell.cell_type != "code":
            continue
        checked = CHECKED in cell.metadata.get("tags", [])
        cell.outputs = [output for output in cell.outputs if checked and output.output_type == "stream"]
        cell.execution_count = 1 if checked else None  # nbval takes a cell without a count for one never run
    notebook.metadata = {
        "crmlib": notebook.metadata["crmlib"],
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def refresh(path: Path) -> None:
    """Run one notebook in its folder and write it back."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    nbformat.write(strip(notebook), path)


if __name__ == "__main__":
    for one in sorted(NOTEBOOKS.glob("*.ipynb")):
        if len(sys.argv) == 1 or one.stem.startswith(tuple(sys.argv[1:])):
            print(f"running {one.name}", flush=True)
            refresh(one)
