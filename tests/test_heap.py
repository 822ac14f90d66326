"""All threads of a backup's process take memory from one heap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exporter import heap
from exporter.__main__ import run

HEAPS = """
import ctypes, sys, threading
from exporter import heap

libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    sys.exit(77)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
heap.share()
threads = [threading.Thread(target=libc.malloc, args=(1000,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is glibc's")
def test_all_threads_take_memory_from_one_heap(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HEAPS, str(tmp_path / "heaps")], timeout=60, check=False)

    if done.returncode == 77:
        pytest.skip("the C library is not glibc")
    assert done.returncode == 0
    assert (tmp_path / "heaps").read_text().count("<heap nr=") == 1


def test_a_backup_shares_its_heap_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setattr(heap, "share", stop)

    assert run(["backup", "-a", str(tmp_path / "archive"), "thread_a"]) == 130
