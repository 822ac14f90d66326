"""What users install has all that it needs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from exporter.cli import names

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "exporter"
NEEDED = (
    "notebook/views/*.sql",
    "*/templates/*.html",
    "*/templates/*.css",
    "view/static/*",
    "archive/*.md",
    "py.typed",
)
"What is read from the package besides its code; of each at least one file."


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_it_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    there = {file.relative_to(ROOT).as_posix() for file in PACKAGE.rglob("*") if file.is_file()}
    there = {name for name in there if "__pycache__" not in name}
    for pattern in NEEDED:
        assert any(PACKAGE.glob(pattern)), pattern
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
        about = {name.split("/", 1)[1] for name in opened.namelist() if ".dist-info/" in name}

    assert held == there
    assert about == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_it_says_what_it_is_and_asks_for_no_extra(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        about = message_from_bytes(opened.read(name))
    needs = {need.split(";")[0] for need in about.get_all("Requires-Dist", []) if "extra ==" not in need}

    assert (about["Name"], about["Requires-Python"], about["License-Expression"]) == (
        "conversation-exporter",
        ">=3.11",
        "MIT",
    )
    assert about.get_payload() == (ROOT / "README.md").read_text("utf-8")
    assert not any(need.startswith(("duckdb", "pandas", "tantivy", "starlette", "hatchling")) for need in needs)
    assert len(needs) > 5


def test_it_runs_where_nothing_else_of_ours_is(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path / "there")
    # without `site` a checkout that was installed to be edited is not found; what we depend on is
    code = f"""
import sys
sys.path[:0] = [{str(tmp_path / "there")!r}, {sysconfig.get_path("purelib")!r}, {sysconfig.get_path("platlib")!r}]
import exporter
from exporter.__main__ import run
assert exporter.__file__.startswith({str(tmp_path)!r}), exporter.__file__
from pathlib import Path
exporter.Archive.create(Path({str(tmp_path / "archive")!r}))
sys.exit(run(["--help"]))
"""
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"  {name} " in done.stdout for name in names())
    assert (tmp_path / "archive" / "README.md").read_bytes() == (PACKAGE / "archive/README.template.md").read_bytes()
