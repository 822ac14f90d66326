"""A process of the command line spares itself work that only libraries ask for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAPS = """
import ctypes, sys, threading
from exporter.sparing import share_heap

libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    sys.exit(77)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
share_heap()
threads = [threading.Thread(target=libc.malloc, args=(1000,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


def test_what_was_imported_is_not_looked_through_for_garbage_as_a_command_ends() -> None:
    code = "import gc\nfrom exporter.__main__ import main\ntry: main(['--help'])\nfinally: print(len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert int(done.stdout.splitlines()[-1]) < 1000


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is glibc's")
def test_all_threads_of_a_command_take_memory_from_one_heap(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HEAPS, str(tmp_path / "heaps")], timeout=60, check=False)

    if done.returncode == 77:
        pytest.skip("the C library is not glibc")
    assert done.returncode == 0
    assert (tmp_path / "heaps").read_text().count("<heap nr=") == 1
