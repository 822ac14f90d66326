"""What users write instead, and the floor under everything: each is a program of its own, so that its cost is its own.

`python loops.py WAY URL OUT THREADS MESSAGES` reads all messages of so many threads of the responder.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

KEY = "sk-bench"
TASKS = 64
LIMIT = 100


def name(number: int) -> str:
    return f"thread_{number:08d}"


def sdk_sync(url: str, out: Path, threads: int, _messages: int) -> None:
    """The loop of every tutorial."""
    from openai import OpenAI

    client = OpenAI(base_url=url, api_key=KEY)
    with out.open("w") as file:
        for number in range(threads):
            for message in client.beta.threads.messages.list(name(number), limit=LIMIT, order="asc"):
                file.write(message.model_dump_json() + "\n")


def sdk_async(url: str, out: Path, threads: int, _messages: int) -> None:
    """The same with AsyncOpenAI and 64 tasks."""
    from openai import AsyncOpenAI

    async def main() -> None:
        client = AsyncOpenAI(base_url=url, api_key=KEY)
        with out.open("w") as file:

            async def one(number: int) -> None:
                async for message in client.beta.threads.messages.list(name(number), limit=LIMIT, order="asc"):
                    file.write(message.model_dump_json() + "\n")

            await _together(one, threads)

    asyncio.run(main())


def sdk_raw(url: str, out: Path, threads: int, _messages: int) -> None:
    """The SDK without its types, and orjson."""
    import orjson
    from openai import OpenAI

    client = OpenAI(base_url=url, api_key=KEY)
    with out.open("wb") as file:
        for number in range(threads):
            after = None
            while True:
                query: dict[str, Any] = {"limit": LIMIT, "order": "asc"} | ({"after": after} if after else {})
                answer: Any = client.beta.threads.messages.with_raw_response.list(name(number), **query)
                page = orjson.loads(answer.http_response.content)
                file.writelines(orjson.dumps(message) + b"\n" for message in page["data"])
                after = page["last_id"]
                if not page["has_more"]:
                    break


def bytes_only(url: str, _out: Path, threads: int, messages: int) -> None:
    """Ask for the same pages through our transport, and throw them away: the cursors are known beforehand."""
    from exporter.model import Profile, Secret
    from exporter.pacing import Pace
    from exporter.transport import HttpTransport

    async def main() -> None:
        async with HttpTransport(Profile(base_url=url, key=Secret(KEY)), Pace(TASKS)) as transport:

            async def one(number: int) -> None:
                for begin in range(0, messages, LIMIT):
                    query = [("limit", str(LIMIT)), ("order", "asc")]
                    if begin:
                        query.append(("after", f"msg_{number:08d}{begin - 1:08d}"))
                    answer = await transport.get(f"/threads/{name(number)}/messages", query)
                    assert answer.status == 200

            await _together(one, threads)

    asyncio.run(main())


def dlt(url: str, out: Path, threads: int, _messages: int) -> None:
    """dlt's rest_api source to Parquet files."""
    tool: Any = import_module("dlt")
    rest_api: Any = import_module("dlt.sources.rest_api")
    source = rest_api.rest_api_source(
        {
            "client": {"base_url": url, "auth": {"type": "bearer", "token": KEY}},
            "resources": [
                {
                    "name": f"messages_{number}",
                    "table_name": "messages",
                    "endpoint": {
                        "path": f"threads/{name(number)}/messages",
                        "params": {"limit": LIMIT, "order": "asc"},
                        "data_selector": "data",
                        "paginator": {
                            "type": "cursor",
                            "cursor_path": "last_id",
                            "cursor_param": "after",
                            "has_more_path": "has_more",
                        },
                    },
                }
                for number in range(threads)
            ],
        }
    )
    pipeline = tool.pipeline(
        "bench",
        destination=tool.destinations.filesystem(str(out)),
        dataset_name="bench",
        pipelines_dir=str(out) + ".pipelines",
    )
    pipeline.run(source, loader_file_format="parquet")


async def _together(one: Callable[[int], Awaitable[None]], count: int) -> None:
    """Do it for all, 64 at a time."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(worker() for _ in range(TASKS)))


WAYS: dict[str, Callable[[str, Path, int, int], None]] = {
    way.__name__: way for way in (sdk_sync, sdk_async, sdk_raw, bytes_only, dlt)
}

if __name__ == "__main__":
    WAYS[sys.argv[1]](sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
