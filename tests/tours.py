"""Runs the notebooks of `samples/` as Jupyter does, headless, and says what their cells showed."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import nbformat
import pandas as pd
from nbclient import NotebookClient

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SECONDS = 100
"How long a cell may take at most."
TELLING = """
from IPython import get_ipython as _ipython
import pandas as _pandas

_said = _ipython().display_formatter.mimebundle_formatter
_said.for_type(_pandas.DataFrame, lambda table, **_: {"text/x-table": table.reset_index().to_csv(index=False)})
"""
"Makes a cell that shows a table tell all of it: what people see is shortened."


@dataclass
class Shown:
    """What one cell showed."""

    code: str
    tags: list[str]
    tables: list[pd.DataFrame] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def make_archive(path: Path) -> Path:
    """Make the sample archive as users make it."""
    command = [sys.executable, "-W", "error", str(SAMPLES / "make_archive.py"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return path


def run(name: str, archive: Path, home: Path) -> dict[str, Shown]:
    """Run a notebook on an archive; return what each of its cells of code showed, by the cell's id."""
    book = nbformat.read(SAMPLES / name, as_version=4)  # type: ignore[no-untyped-call]
    book.cells.insert(0, nbformat.v4.new_code_cell(TELLING, id="telling"))  # type: ignore[no-untyped-call]
    ours = {"EXPORTER_ARCHIVE": str(archive), "HOME": str(home), "IPYTHONDIR": str(home / "ipython")}
    ours |= {"JUPYTER_RUNTIME_DIR": str(home / "runtime"), "MPLCONFIGDIR": str(home / "matplotlib")}
    with mock.patch.dict(os.environ, ours):
        # its kernel listens on 127.0.0.1 only, and takes only what is signed with a key of this run
        NotebookClient(book, timeout=SECONDS, resources={"metadata": {"path": str(SAMPLES)}}).execute()
    return {cell.id: _shown(cell) for cell in book.cells[1:] if cell.cell_type == "code"}


def _shown(cell: nbformat.NotebookNode) -> Shown:
    shown = Shown(cell.source, list(cell.metadata.get("tags", [])))
    for output in cell.outputs:
        data = output.get("data", {})
        if "text/x-table" in data:
            shown.tables.append(pd.read_csv(io.StringIO(data["text/x-table"])))
        elif "image/png" in data:
            shown.pictures.append(base64.b64decode(data["image/png"]))
        elif "text/html" in data:
            shown.pages.append(data["text/html"])
        elif output.output_type != "execute_result":
            shown.complaints.append(str(output.get("text", output)))
    return shown
