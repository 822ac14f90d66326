"""The command line against a sandbox, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from exporter.cli import cli
from exporter.sandbox import Running, State
from tests.conftest import KEY


@dataclass
class Shell:
    """Runs commands where the environment names a sandbox and an archive."""

    state: State
    url: str
    archive: Path

    def run(self, *words: str, stdin: str | None = None) -> Result:
        """Run a command, whatever its exit code."""
        result = CliRunner().invoke(cli, words, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def ok(self, *words: str, stdin: str | None = None) -> Result:
        """Run a command that ends with 0."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == 0, result.stderr
        return result

    def json(self, *words: str, stdin: str | None = None) -> list[dict[str, Any]]:
        """Run a command with --json; its lines, of which the last is the summary or the error."""
        found = [json.loads(line) for line in self.run(*words, "--json", stdin=stdin).stdout.splitlines()]
        assert found
        assert found[-1]["message_type"] in ("summary", "error")
        return found


@pytest.fixture
def shell(sandbox: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    archive = tmp_path / "archive"
    monkeypatch.chdir(tmp_path)
    environ = {"OPENAI_BASE_URL": sandbox.url, "OPENAI_API_KEY": KEY, "EXPORTER_ARCHIVE": str(archive)}
    for name in ("EXPORTER_CONFIG", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    return Shell(sandbox.state, sandbox.url, archive)
