"""`make bench-search`: an index of generated messages, made and asked, beside SQLite FTS5 over the same texts.

Each side runs as its own process; CPU seconds and peak memory are the system's own account of it. A third of the
messages is Chinese and Japanese. FTS5 splits these with its trigram tokenizer, the only one that finds parts of them;
it takes no account of less than three characters. Quote the ratios: machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import orjson

PER_THREAD = 10
SEALED = 20_000
WORDS = 20_000
QUESTIONS = ("common", "common also", '"common also"', "rare7", "東京都", "部署失败", "rar*")


def texts(count: int) -> Iterator[str]:
    """Texts of about 600 characters, the words as often as in a language; a third in Chinese and Japanese."""
    chance = random.Random(5)
    words = ["common", "also", *(f"w{number:x}ord" for number in range(WORDS)), *(f"rare{n}" for n in range(500))]
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(words))))
    signs = [chr(0x4E00 + number) for number in range(2000)]
    terms = ["".join(chance.choices(signs, k=chance.choice((1, 2, 2, 2, 3)))) for _ in range(len(words))]
    for number in range(count):
        if number % 3:
            yield " ".join(chance.choices(words, cum_weights=weights, k=100))
        else:
            run = "".join(chance.choices(terms, cum_weights=weights, k=100))
            yield run + ("東京都に住む" if number % 300 == 0 else "") + ("部署失败了" if number % 900 == 0 else "")


def archived(path: Path, count: int) -> None:
    """Put the texts into an archive."""
    from exporter.archive import Archive
    from exporter.model import Item, Page, ThreadRef

    at = datetime(2026, 11, 21, tzinfo=UTC)
    Archive.create(path)
    held: list[Item] = []
    pages: list[Page] = []
    with Archive.write(path) as archive:
        for number, text in enumerate(texts(count)):
            body = {
                "id": f"m{number}",
                "object": "thread.message",
                "created_at": 1_760_000_000 + number,
                "role": "user",
            }
            held.append(
                Item(f"m{number}", orjson.dumps(body | {"content": [{"type": "text", "text": {"value": text}}]}))
            )
            if len(held) == PER_THREAD:
                ref = ThreadRef("assistants", "https://api.example/v1", f"thread_{number // PER_THREAD}")
                pages.append(Page(ref, "message", tuple(held), None, False, at, "messages"))
                held = []
            if number % SEALED == SEALED - 1:
                archive.append(pages)
                archive.seal()
                pages = []
        archive.append(pages)
        archive.seal({})


def ours(path: Path) -> None:
    """Make the index, and ask it."""
    from exporter.archive import Archive
    from exporter.search import Index, Query

    with Archive.open(path) as archive:
        with Index.open(archive):
            told("made")
        with Index.open(archive) as index:
            for question in QUESTIONS:
                timed(question, lambda asked=question: index.search(Query(asked)).total)  # type: ignore[misc]
            print(f"bytes {sum(file.stat().st_size for file in index.folder.rglob('*') if file.is_file())}")


def theirs(path: Path, tokenizer: str) -> None:
    """Make an FTS5 index without a copy of the texts, and ask it."""
    from exporter.archive import Archive
    from exporter.model import Registration
    from exporter.rows import row

    file = path.with_suffix(f".{tokenizer}.db")
    db = sqlite3.connect(file)
    db.execute(f"CREATE VIRTUAL TABLE t USING fts5(text, content='', tokenize='{tokenizer}')")
    with Archive.open(path) as archive:
        for record in archive.records():
            db.execute("INSERT INTO t(text) VALUES (?)", ((row(record, Registration(record.thread)) or {})["text"],))
    db.commit()
    db.execute("INSERT INTO t(t) VALUES ('optimize')")
    db.commit()
    told("made")
    for question in QUESTIONS:
        found = (
            question if question[0] == '"' or question.endswith("*") else " ".join(f'"{w}"' for w in question.split())
        )

        def ask(asked: str = found) -> int:
            total = db.execute("SELECT count(*) FROM t WHERE t MATCH ?", (asked,)).fetchone()[0]
            db.execute("SELECT rowid FROM t WHERE t MATCH ? ORDER BY bm25(t) LIMIT 20", (asked,)).fetchall()
            return int(total)

        timed(question, ask)
    print(f"bytes {file.stat().st_size}")


def told(what: str) -> None:
    """Say what this process cost so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{what} cpu {used.ru_utime + used.ru_stime:.1f} peak {used.ru_maxrss / 1024:.0f}")


def timed(question: str, ask: Callable[[], int], times: int = 9) -> None:
    """Ask several times; the median counts."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        total = ask()
        taken.append(time.perf_counter() - began)
    print(f"asked {question}: {sorted(taken)[times // 2] * 1000:.1f} ms, {total:,} found")


def main() -> int:
    """Print what each side says of itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--side", choices=("make", "ours", "unicode61", "trigram"))
    parser.add_argument("--archive", type=Path)
    options = parser.parse_args()
    if options.side == "make":
        archived(options.archive, options.messages)
    elif options.side == "ours":
        ours(options.archive)
    elif options.side:
        theirs(options.archive, options.side)
    else:
        with tempfile.TemporaryDirectory() as folder:
            for side in ("make", "ours", "unicode61", "trigram"):
                print(f"-- {side}", flush=True)
                words = ["--side", side, "--archive", f"{folder}/archive", "--messages", str(options.messages)]
                subprocess.run([sys.executable, "-m", "tests.bench_search", *words], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
