"""A local server that speaks the conversation APIs, honestly or not, for demo, tests and selftest.

    from exporter.sandbox import State, running

    with running(State.seed(threads=3, messages=50)) as sandbox:
        OpenAI(base_url=sandbox.url, api_key="sk-sandbox-one")

`State` is what the server knows, `Switches` what can go wrong (`FAULTS`, `LIES`). The same objects are served as OpenAI
serves them (`sandbox.url`) and as Azure does (`sandbox.foundry()`, `.foundry_classic()`, `.azure`, `.azure_classic`).
Starlette and uvicorn are imported only when a server starts. docs/sandbox.md lists what it speaks.
"""

from exporter.sandbox.clock import Clock, Retention
from exporter.sandbox.content import Content, Generated
from exporter.sandbox.keys import KEYS, Key
from exporter.sandbox.series import Entry, Generator, Series
from exporter.sandbox.server import Running, running, serve
from exporter.sandbox.state import SOURCES, Request, State
from exporter.sandbox.switches import FAULTS, LIES, Switches

__all__ = [
    "FAULTS",
    "KEYS",
    "LIES",
    "SOURCES",
    "Clock",
    "Content",
    "Entry",
    "Generated",
    "Generator",
    "Key",
    "Request",
    "Retention",
    "Running",
    "Series",
    "State",
    "Switches",
    "running",
    "serve",
]
