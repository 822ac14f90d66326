"""What the documents say is so: blocks run, commands are described, the generated page is current."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.cli import names
from exporter.cli.reference import help_of, main, page
from exporter.crawl._visit import UNRESUMABLE
from exporter.sandbox import State, running

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGE = ROOT / "docs" / "cli.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_blocks_of_the_readme_run(tmp_path: Path) -> None:
    shell, program = "".join(blocks("bash")), "\n".join(blocks("python"))
    assert shell.count("exporter ") > 4
    assert "read_parquet" in program
    with running(State.seed()) as sandbox:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environ = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        environ |= {"OPENAI_BASE_URL": sandbox.url, "OPENAI_API_KEY": "sk-sandbox-one"}
        for command in (["bash", "-euo", "pipefail", "-c", shell], [sys.executable, "-W", "error", "-c", program]):
            done = subprocess.run(
                command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100, check=False
            )
            assert done.returncode == 0, done.stderr

    assert (tmp_path / "all.jsonl").stat().st_size > 1000


@pytest.mark.parametrize("name", names())
def test_each_command_has_an_example_and_its_exit_codes(name: str) -> None:
    text = help_of(name)

    assert f"exporter {name}" in text[text.index("Example:") :]
    assert text.index("Example:") < text.index("Exit codes:")
    assert "\n    0   " in text
    assert f"## exporter {name}\n" in PAGE.read_text("utf-8")


def test_each_command_has_json() -> None:
    assert page().count("--json  ") == len(names())


def test_the_page_about_the_command_line_is_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert page() == PAGE.read_text("utf-8")
    assert main(["--check", str(PAGE)]) == 0
    assert main(["--write", str(tmp_path / "cli.md")]) == 0
    assert (tmp_path / "cli.md").read_text("utf-8") == PAGE.read_text("utf-8")
    assert main(["--check", str(tmp_path / "other.md")]) == 1
    assert "make docs WRITE=1" in capsys.readouterr().err


def test_links_of_the_documents_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "samples/README.md"):
        file = ROOT / name
        for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text("utf-8")):
            assert (file.parent / target).exists(), f"{name}: {target}"


def test_every_dependency_has_its_reason_in_the_readme() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.findall(r'^  "([a-z0-9.-]+)(?:\[[a-z]+\])?[><=]', project, re.MULTILINE)

    assert listed
    assert [name for name in listed if f"`{name}`" not in README] == []


def test_the_samples_work_against_the_sandbox(tmp_path: Path) -> None:
    from exporter.config import profiles
    from exporter.ids import Said, entries

    said = Said("http://127.0.0.1:1/v1")
    assert [e.thread.id for e in entries([f"@{ROOT}/samples/ids.txt"], said)] == [
        "thread_seed1x00000",
        "conv_seed1x00000",
        "thread_seed1x00001",
        "conv_seed1x00001",
    ]
    assert [e.user for e in entries([f"@{ROOT}/samples/threads.csv"], said)] == ["ann", "ben", "ann"]
    assert list(profiles(str(ROOT / "samples/exporter.toml"), {})) == ["default", "support", "local"]


def test_every_oddity_that_a_walk_names_is_in_the_guide() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "exporter" / "sources").glob("*.py"))
    named = set(re.findall(r"(?:note|gap|Lie|_begin_again)\([^()]*?\"([a-z]+_[a-z_]+)\"", code)) | UNRESUMABLE

    assert len(named) > 10
    assert {name for name in named if f"`{name}`" not in guide} == set()
