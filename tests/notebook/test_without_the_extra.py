"""Without the extra: a sentence that says what to install, and nothing else of the package minds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.archive import publishing


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    path = publishing.published(tmp_path / "a")
    code = f"""
import sys
class Without:
    def find_spec(self, name, *_):
        if name in ("duckdb", "pandas", "polars", "pytz", "jinja2", "nh3", "markdown_it"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Without())
import exporter
notebook = exporter.open({str(path)!r})
for ask in (notebook.messages, lambda: notebook.sql("select 1"), lambda: setattr(notebook, "prices", {{}})):
    try:
        ask()
    except exporter.ExporterError as error:
        print(error.exit_code, error)
print(notebook.thread("thread_1")._repr_html_())
print(len(list(notebook.thread("thread_1"))), "hello" in notebook.thread("thread_1")._repr_markdown_())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    told = "2 duckdb is not installed; pip install 'conversation-exporter[notebook]'"
    assert done.stdout.splitlines() == [*[told] * 3, "None", "5 True"]
    assert done.stderr == ""
