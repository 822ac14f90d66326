"""The public names: few, sorted, real, and cheap to import."""

from __future__ import annotations

import subprocess
import sys

import exporter


def test_the_public_names_are_sorted_and_real() -> None:
    assert exporter.__all__ == sorted(exporter.__all__)
    assert all(getattr(exporter, name) is not None for name in exporter.__all__)
    assert sorted(name for names in exporter._HOME.values() for name in names) == exporter.__all__


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, exporter; print([m for m in ('openai', 'pyarrow', 'sqlalchemy', 'click') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout.strip() == "[]"
