"""`make test-real`: back up a real third-party server, OGX, and compare the archive with it object by object.

Installs OGX into `.cache/ogx` (Python 3.12, about 300 MB), runs it on a free port of loopback with SQLite and no model,
creates conversations through the SDK, backs them up with the command line, and reads everything back by another way:
the SDK's own paging, at another page size. `--write FILE` keeps the result as a page for the docs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "ogx"
VERSION = "1.5.0"
READY_SECONDS = 120

CONFIG = """\
version: 2
image_name: conversations
apis: [conversations]
providers: {{}}
storage:
  backends:
    kv_default: {{type: kv_sqlite, db_path: {folder}/kv.db}}
    sql_default: {{type: sql_sqlite, db_path: {folder}/sql.db}}
  stores:
    metadata: {{namespace: registry, backend: kv_default}}
    inference: {{table_name: inference, backend: sql_default, max_write_queue_size: 100, num_writers: 1, enabled: true}}
    conversations: {{table_name: openai_conversations, backend: sql_default}}
    prompts: {{table_name: prompts, backend: sql_default}}
    connectors: {{table_name: connectors, backend: sql_default}}
server: {{host: 127.0.0.1, port: {port}}}
"""

NASTY = [
    "plain",
    "emoji 🙂 and \u202eright to left\u202c",
    'line\u2028separator, tab\t, quote " and backslash \\',
    "control \u0001 and \u001b[31mred\u001b[0m",
    "",
    "x" * 100_000,
]


def main() -> int:
    """Run the comparison; exit 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="keep the result as Markdown")
    parser.add_argument("--conversations", type=int, default=12)
    options = parser.parse_args()
    server = installed()
    with tempfile.TemporaryDirectory(prefix="exporter-ogx-") as folder, serving(server, Path(folder)) as url:
        client = openai.OpenAI(base_url=url, api_key="none-needed", max_retries=1, timeout=60)
        ids = seed(client, options.conversations)
        report = backup(url, ids, Path(folder) / "archive")
        again = backup(url, ids, Path(folder) / "archive")
        lines = [*compared(client, ids, Path(folder) / "archive"), *twice(report, again)]
        check = exporter(url, "check", "--rebuild", "-a", str(Path(folder) / "archive"))
        lines.append(verdict("`exporter check --rebuild`", check.returncode == 0, f"exit {check.returncode}"))
    text = "\n".join(lines)
    print(text)
    if options.write:
        options.write.write_text(page(text), encoding="utf-8")
    failed = sum(" FAILED " in line for line in lines)
    print(f"\n{len(lines) - failed} passed, {failed} failed")
    return 1 if failed else 0


def installed() -> Path:
    """The server's program, installed on first use."""
    program = CACHE / "venv" / "bin" / "ogx"
    if not program.exists():
        python = python312()
        print(f"installing ogx {VERSION} into {CACHE.relative_to(ROOT)} ...", flush=True)
        subprocess.run([python, "-m", "venv", str(CACHE / "venv")], check=True)
        pip = [str(CACHE / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"ogx=={VERSION}", "aiosqlite", "sqlalchemy[asyncio]", "greenlet"], check=True)
    return program


def python312() -> str:
    """A Python 3.12 that runs: named by PYTHON312, on the PATH, or among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [os.environ.get("PYTHON312"), shutil.which("python3.12"), *sorted(map(str, pyenv.glob("3.12*/bin/python")))]
    for python in filter(None, found):
        asked = subprocess.run(
            [python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, check=False
        )
        if asked.stdout.strip() == b"(3, 12)":
            return python
    raise SystemExit("test-real needs Python 3.12: name it with PYTHON312=/path/to/python3.12 make test-real")


@contextlib.contextmanager
def serving(program: Path, folder: Path) -> Iterator[str]:
    """Run OGX on a free port until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(folder=folder, port=port), encoding="utf-8")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OGX_TELEMETRY_DISABLED": "1", "HOME": str(folder)}
    command = [str(program), "run", str(config), "--port", str(port), "--insecure"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            wait(f"http://127.0.0.1:{port}/v1/health", process, folder / "server.log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers; end with its log if it does not."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.3)
    raise SystemExit(f"OGX did not start:\n{log.read_text(errors='replace')[-3000:]}")


def seed(client: openai.OpenAI, count: int) -> list[str]:
    """Create conversations of 0, 1, ... items, some of more than two pages, with texts that break naive tools."""
    ids = []
    for number in range(count):
        conversation = client.conversations.create(metadata={"number": str(number)})
        total = [0, 1, 19, 20, 21, 99, 100, 101, 230][number % 9]
        items: list[Any] = [message(number, i) for i in range(total)]
        for start in range(0, total, 20):
            client.conversations.items.create(conversation.id, items=items[start : start + 20])
        ids.append(conversation.id)
    return ids


def message(number: int, i: int) -> dict[str, Any]:
    """An item to create."""
    text = NASTY[i % len(NASTY)] if number % 3 == 0 else f"message {i} of conversation {number}"
    if i % 2:
        return {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def exporter(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the command line as a user does."""
    environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none-needed"}
    command = [sys.executable, "-m", "exporter", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def backup(url: str, ids: list[str], archive: Path) -> dict[str, Any]:
    """Back up, and return the summary."""
    done = exporter(url, "backup", "--json", "-a", str(archive), *ids)
    if done.returncode:
        raise SystemExit(f"exporter backup ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    summary: dict[str, Any] = json.loads(done.stdout.rstrip("\n").rpartition("\n")[2])
    return summary


def compared(client: openai.OpenAI, ids: list[str], archive: Path) -> Iterator[str]:
    """Compare each conversation with what the SDK reads at pages of 7, raw."""
    done = exporter("http://unused.invalid/v1", "export", "--format", "jsonl", "-a", str(archive))
    if done.returncode:
        raise SystemExit(f"exporter export ended with {done.returncode}:\n{done.stderr}")
    # not splitlines(): a text may hold U+2028, which is no line end in JSON lines
    lines = [json.loads(line) for line in done.stdout.split("\n") if line]
    kept: list[Any] = [line["body"] for line in lines if line["kind"] == "message"]
    served = [item for conversation in ids for item in items_of(client, conversation)]
    by_id = {item["id"]: item for item in kept}
    yield verdict("objects archived", len(kept) == len(served), f"{len(kept)} of {len(served)}")
    yield verdict("ids unique", len(by_id) == len(kept), f"{len(by_id)}")
    equal = sum(by_id.get(item["id"]) == item for item in served)
    yield verdict("equal as JSON", equal == len(served), f"{equal}")
    yield verdict("in the server's order", [i["id"] for i in kept] == [i["id"] for i in served], "")


def items_of(client: openai.OpenAI, conversation: str) -> Iterator[dict[str, Any]]:
    """All items of a conversation, by plain requests of 7, oldest first."""
    after: dict[str, Any] = {}
    while True:
        query = {"limit": 7, "order": "asc", **after}
        response = client.conversations.items.with_raw_response.list(conversation, extra_query=query)
        page = json.loads(response.http_response.content)
        yield from page["data"]
        if not page["has_more"]:
            return
        after = {"after": page["data"][-1]["id"]}


def twice(first: dict[str, Any], again: dict[str, Any]) -> Iterator[str]:
    """Compare the summaries of two backups of the same conversations."""
    yield verdict(
        "first backup",
        first["complete"] == first["registered"],
        f"{first['records']} records, {first['requests']} requests",
    )
    yield verdict("second backup brings nothing", again["records"] == 0, f"{again['requests']} requests")


def verdict(what: str, good: bool, detail: str) -> str:
    """One row of the result."""
    return f"| {what} | {'passed' if good else ' FAILED '} | {detail} |"


def page(table: str) -> str:
    """The result as a page."""
    where = f"OGX {VERSION} (SQLite, no model) on loopback, SDK {openai.__version__}"
    about = f"`make test-real`, {time.strftime('%Y-%m-%d')}: {where}."
    head = "# Against a real server\n\nWritten by `make test-real`; do not edit.\n\n"
    return f"{head}{about}\n\n| what | result | |\n|---|---|---|\n{table}\n"


if __name__ == "__main__":
    sys.exit(main())
