"""The page about notebooks: its blocks run, in one program, against the sandbox's archive."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from exporter.sandbox import State
from tests.formats.conftest import archived

ROOT = Path(__file__).parents[2]


def test_the_blocks_of_the_page_run(tmp_path: Path) -> None:
    archived(State.seed(threads=2, messages=12, sessions=2), tmp_path / "archive")
    page = (ROOT / "docs" / "notebook.md").read_text("utf-8")
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    assert program.count("archive.") > 7
    command = [sys.executable, "-W", "error", "-c", program]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "at_risk: Threads that may lose" in done.stdout
    for target in re.findall(r"\]\(([^)#:]+)\)", page):
        assert (ROOT / "docs" / target).exists(), target
