"""`make demo`: back up sample conversations from a sandbox on this machine, through the real command line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from exporter.sandbox import SOURCES, State, running

COUNTS = {"threads": 4, "conversations": 2, "chatkit": 2, "completions": 2, "responses": 2, "sessions": 2}
MESSAGES, ITEMS = 250, 120


def exporter(*words: str, lines: int = 99) -> None:
    """Run a command, show it and the first lines of its answer."""
    print(f"\n$ exporter {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "exporter", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    answer = done.stdout.rstrip().splitlines()
    print("\n".join(f"  {line[:110]}" for line in answer[:lines]))
    if len(answer) > lines:
        print("  ...")
    if done.returncode:
        sys.exit(f"the demo failed: exit code {done.returncode}\n{done.stdout}")


def rows(archive: Path) -> str:
    """Count the rows of each table, as any program can."""
    import pyarrow.parquet as pq

    names = ("messages", "threads", "runs", "steps", "files")
    counts = {name: pq.read_table(archive / name).num_rows for name in names}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def main() -> None:
    state = State.seed(**COUNTS, messages=MESSAGES, items=ITEMS)
    ids = state.ids()
    with running(state) as sandbox, tempfile.TemporaryDirectory() as folder:
        os.environ.update(OPENAI_BASE_URL=sandbox.url, OPENAI_API_KEY="sk-sandbox-one", EXPORTER_ARCHIVE="demo-archive")
        os.environ.pop("EXPORTER_CONFIG", None)
        os.chdir(folder)
        archive = Path("demo-archive")
        Path("ids.txt").write_text("\n".join(ids))
        held = ", ".join(f"{len(state.ids(source))} of {source}" for source in SOURCES)
        print(f"A sandbox answers at {sandbox.url} with conversations: {held}.")
        exporter("register", "@ids.txt", "--customer", "acme")
        exporter("backup")
        exporter("status")
        exporter("show", ids[0], lines=5)
        print(f"\n$ python -c 'pd.read_parquet(\"demo-archive/messages\")'\n  rows: {rows(archive)}")
        before = len(state.requests)
        exporter("backup", "--all")
        print(f"  ({len(state.requests) - before} requests looked for news; nothing was fetched twice)")
        exporter("check", "--rebuild")
    print("\nNow with your own key:\n\n  OPENAI_API_KEY=... .venv/bin/exporter backup thread_... conv_...")
    print("  .venv/bin/exporter register --help      # a list of ids, a CSV, or log files will do")


if __name__ == "__main__":
    main()
