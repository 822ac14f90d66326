"""What the tables cost: to publish a month, to make them again, to look one thread up; beside pyarrow on the same rows.

`python -m tests.bench.storing WORK ARCHIVE` does one of these in a process of its own and prints what it cost.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exporter.sparing import spare
from tests.bench.measure import HERE
from tests.bench.responder import KEY, WORDS, message

MONTH = 500_000
THREAD = 100
PAGE = 100
SHAPES = 100
WORDS_EACH = 85
"Of each text, which is a new one for each message: a repeated one would cost a writer next to nothing."
TIMES = datetime(2026, 1, 1, tzinfo=UTC)
SOUGHT = 300
"The number of the thread that is looked up."
ENDPOINT = "https://api.example/v1"
CHUNK = 50_000


def storing(month: int, rebuild: int) -> Iterator[str]:
    """Print what storing costs beside pyarrow writing the same rows."""
    yield "\n## Tables\n"
    yield "| work | CPU s | pyarrow `write_table` of the same rows, CPU s | ratio | goal, at most | peak MiB |"
    yield "|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "month"
        built = _done("build", path, month)
        yield _row(f"publish a month of {month:,} messages", _done("publish", path), _done("write", path))
        size = sum(file.stat().st_size for file in path.glob("messages/*.parquet")) / built["bytes"]
        shutil.rmtree(path)
        path = Path(folder) / "all"
        _done("build", path, rebuild)
        yield _row(f"rebuild {rebuild:,} messages", _done("rebuild", path), _done("write", path))
        found, scanned = _done("look_up", path), _done("scan", path)
        yield f"\nParquet takes {size:.3f} of compact JSON (goal: 0.21)."
        ratio = found["cpu"] / scanned["cpu"]
        yield (
            f"One thread of {THREAD} messages is read from {rebuild:,} rows in {found['cpu']:.3f} CPU s, a full scan "
            f"takes {scanned['cpu']:.2f}: 1/{1 / ratio:.0f} (goal: 1/20)."
        )


def _row(title: str, ours: dict[str, float], theirs: dict[str, float]) -> str:
    ratio = ours["cpu"] / theirs["cpu"]
    return f"| {title} | {ours['cpu']:.1f} | {theirs['cpu']:.1f} | {ratio:.2f} | 2 | {ours['peak']:.0f} |"


def _done(work: str, path: Path, *more: object) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.storing", work, str(path), *map(str, more)]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HERE.parents[1])
    found: dict[str, float] = json.loads(said.stdout)
    return found


def build(path: Path, messages: str) -> dict[str, float]:
    """Make an archive whose pages are sealed, not published: threads of a hundred messages, 500,000 a month."""
    from exporter.archive import Archive
    from exporter.model import Item, Page, Registration, ThreadRef
    from exporter.registry import register

    shapes = [json.dumps(json.loads(message(number, 1)), separators=(",", ":")).encode() for number in range(SHAPES)]
    around = [(head, tail[tail.index(b'"') :]) for head, tail in (_halves(shape) for shape in shapes)]
    dice = random.Random(1)
    Archive.create(path)
    size = 0
    with Archive.write(path) as archive:
        refs = [ThreadRef("assistants", ENDPOINT, f"thread_{n:08d}") for n in range(int(messages) // THREAD)]
        register(archive, map(Registration, refs))
        pages: list[Page] = []
        for number, thread in enumerate(refs):
            begin = TIMES + timedelta(days=31 * (number * THREAD // MONTH), seconds=number * THREAD % MONTH)
            items = []
            for at in range(THREAD):
                head, tail = around[at]
                text = " ".join(dice.choices(WORDS, k=WORDS_EACH)).encode()
                body = (head + text + tail).replace(KEY, b"%08d" % number)
                made = int(begin.timestamp()) + at
                body = body.replace(b'"created_at":1', b'"created_at":%d,"was":1' % made, 1)
                items.append(Item(f"msg_{number:08d}{at:08d}", body))
                size += len(body)
            for first in range(0, THREAD, PAGE):
                some = tuple(items[first : first + PAGE])
                pages.append(Page(thread, "message", some, "c", False, begin, "messages", first))
            if len(pages) > 100:
                archive.append(pages)
                pages = []
        archive.append(pages)
        archive.seal()
    return {"bytes": size}


def _halves(body: bytes) -> tuple[bytes, bytes]:
    """Return what stands before and after the text of a message."""
    head, name, tail = body.partition(b'"value":"')
    return head + name, tail


def publish(path: Path) -> None:
    """Make the tables for the first time."""
    from exporter.archive import Archive
    from exporter.tables import publish

    with Archive.write(path) as archive:
        publish(archive, 0)
        archive.note_published(archive.manifest())


def rebuild(path: Path) -> None:
    """Make catalog and tables again."""
    from exporter.rebuild import rebuild

    rebuild(path)


def write(path: Path) -> float:
    """Write the rows of the tables of messages with pyarrow: what it costs without reading them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    spent = 0.0
    for source in path.glob("messages/*.parquet"):
        with pq.ParquetFile(source) as file:
            target = path.parent / "written.parquet"
            with pq.ParquetWriter(target, file.schema_arrow, compression="zstd", compression_level=3) as out:
                batches = file.iter_batches(batch_size=CHUNK) if file.metadata.num_rows else ()
                for table in (pa.Table.from_batches([batch]) for batch in batches):
                    before = _cpu()
                    out.write_table(table)
                    spent += _cpu() - before
    return spent


def look_up(path: Path) -> None:
    """Read one thread as a user of pyarrow does."""
    import pyarrow.parquet as pq

    rows = pq.read_table(path / "messages", filters=[("thread_id", "==", f"thread_{SOUGHT:08d}")]).num_rows
    assert rows == THREAD, rows


def scan(path: Path) -> None:
    """Read every row, and keep none."""
    import pyarrow.dataset as ds

    assert sum(batch.num_rows for batch in ds.dataset(path / "messages", format="parquet").to_batches())


def _cpu() -> float:
    times = os.times()
    return times.user + times.system


def _peak() -> float:
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - `getrusage` has the parent's, too
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


WORKS: dict[str, Callable[..., Any]] = {work.__name__: work for work in (build, publish, rebuild, write, look_up, scan)}

if __name__ == "__main__":
    spare()

    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.dataset

    import exporter.rebuild
    import exporter.tables  # noqa: F401 - what is imported late is not part of the work, nor is what Arrow imports

    pa.array([""])
    began = _cpu()
    told = WORKS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
    cpu = told if isinstance(told, float) else _cpu() - began
    print(json.dumps({"cpu": cpu, "peak": _peak()} | (told if isinstance(told, dict) else {})))
