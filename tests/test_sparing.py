"""A process of the command line spares itself work that only libraries ask for."""

from __future__ import annotations

import subprocess
import sys


def test_what_was_imported_is_not_looked_through_for_garbage_as_a_command_ends() -> None:
    code = "import gc\nfrom exporter.__main__ import main\ntry: main(['--help'])\nfinally: print(len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert int(done.stdout.splitlines()[-1]) < 1000
