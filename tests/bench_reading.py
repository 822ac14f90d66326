"""`make bench-reading`: questions, search and the viewer's first pages over five million messages.

Each step is a process of its own, as users have it. CPU seconds and peak memory are the system's account of that
process alone; a time of an answer is the shortest of several, since others share the machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

STEPS = {
    "whole table, counted by day and source": """
        times("daily_volume", lambda: archive.sql("select * from daily_volume").fetchall())
    """,
    "one month, grouped by day": """
        times("a month", lambda: archive.sql("select date_trunc('day', ts), count(*) from messages "
            "where ts >= '2025-06-01' and ts < '2025-07-01' group by 1").fetchall())
    """,
    "messages of one thread": """
        times("a thread", lambda: archive.messages(where=f"thread_id = '{thread(1234)}'").arrow())
        times("in its month", lambda: archive.messages(
            where=f"thread_id = '{thread(1234)}' and ts >= '2025-01-01' and ts < '2025-02-01'").arrow())
    """,
    "every view": """
        for name in archive.views():
            times(name, lambda: archive.sql(f"select * from {name} limit 100").fetchall(), 1)
    """,
    "a conversation as a transcript": """
        times("a thread of some 25", lambda: archive.thread(thread(1234)).text())
        times("the longest, in a notebook", lambda: archive.thread(thread(0))._repr_html_())
    """,
    "search: the index is made": """
        times("all", lambda: Index.open(reading).close(), 1)
        size("index", path / ".exporter" / "search")
    """,
    "search": """
        with Index.open(reading) as index:
            for text in ("banak", "banak basita", '"banak basita"', "w59000", "東京", "東京都の天気", "bana*"):
                times(text, lambda: index.search(Query(text)))
            times("banak, of one user", lambda: index.search(Query("banak", user="user7")))
    """,
    "view: first pages, each by a server that was just started": """
        from tests.view.asking import client
        pages = {
            "list": "/",
            "a thread": f"/t/assistants/{thread(1234)}",
            "the longest": f"/t/assistants/{thread(0)}",
            "its end": f"/t/assistants/{thread(0)}?before=20000",
            "search": "/search?q=banak+basita",
        }
        for name, address in pages.items():
            def ask():
                fresh = client(path)
                assert fresh.get(address).status_code == 200, address
            times(name, ask, 3)
    """,
}
PROGRAM = """
import sys, time
from pathlib import Path
import exporter
from exporter.archive import Archive
from exporter.search import Index, Query
from tests.big import ref

path = Path(sys.argv[1])
archive = exporter.open(path)
reading = Archive.open(path)

def thread(number):
    return ref(number).id

def times(name, ask, count=5):
    took = []
    for _ in range(count):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    print(f"{name}: {min(took) * 1000:,.0f} ms", flush=True)

def size(name, folder):
    bytes_ = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{name}: {bytes_ / 1e6:,.0f} MB", flush=True)
"""


def main() -> int:
    """Build, measure, print a row per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, help="keep the archive here, and measure with it again")
    parser.add_argument("--only", default="", help="steps that begin like this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = (options.folder or Path(temporary)) / "archive"
        if not path.exists():
            step("archive made", f"from tests.big import build; build(path, {options.messages})", path, prepared="")
        for name, code in STEPS.items():
            if name.startswith(options.only):
                step(name, code, path)
    return 0


def step(name: str, code: str, path: Path, *, prepared: str = PROGRAM) -> None:
    """Run a step to its end, and account for it."""
    lines = code.splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    program = prepared or "import sys\nfrom pathlib import Path\npath = Path(sys.argv[1])\n"
    words = [sys.executable, "-c", program + "\n".join(line[margin:] for line in lines), str(path)]
    with tempfile.TemporaryFile() as said:
        pid = os.posix_spawn(
            words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, said.fileno(), fd) for fd in (1, 2)]
        )
        _, status, usage = os.wait4(pid, 0)
        said.seek(0)
        told = said.read().decode()
    if status:
        raise SystemExit(f"{name} ended with {status}:\n{told[-2000:]}")
    cost = f"{usage.ru_utime + usage.ru_stime:,.1f} s CPU, peak {usage.ru_maxrss / 1024:,.0f} MiB"
    print(f"| {name} | {'; '.join(told.split(chr(10))[:-1])} | {cost} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
