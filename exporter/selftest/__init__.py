"""Does this install, on this disk, keep what it promises? Lies and crashes against a server of our own.

A promise is a function in a file of this room: `@promise("a sentence")` above it, `Broken` raised in it where it is
not kept. `names()` finds it by its file and its name; the command and the tests run it because it is there.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from exporter.errors import ExporterError, UsageError
from exporter.selftest._bench import Bench, Broken, bench


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing that holds, whatever happens."""

    name: str
    "Its file and its function: `crashes.a_killed_backup`."
    sentence: str
    keep: Callable[[Bench], None]
    quick: bool
    "Whether it is looked at in a quick run too."


@dataclass(frozen=True, slots=True)
class Result:
    """How a promise was kept."""

    promise: Promise
    cases: int
    "How many situations were tried."
    seconds: float
    broken: str | None = None
    "What happened instead."


@cache
def promises() -> dict[str, Promise]:
    """Return every promise by its name, in the order of the files and of the functions in them."""
    found = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")):
        members = vars(importlib.import_module(f"{__name__}.{module}")).values()
        for member in (one for one in members if inspect.isfunction(one)):
            said: tuple[str, bool] | None = getattr(member, "promise", None)
            if said is not None:
                name = f"{module}.{member.__name__}"
                found[name] = Promise(name, said[0], member, quick=said[1])
    return found


def names() -> list[str]:
    """Name all promises."""
    return list(promises())


def chosen(*, quick: bool = False, only: Iterable[str] = ()) -> list[Promise]:
    """Return the promises to look at; `UsageError` for a name that there is not."""
    if unknown := sorted(set(only) - set(promises())):
        raise UsageError(f"there is no promise {', '.join(unknown)}; there are {', '.join(promises())}")
    wanted = set(only) or {one.name for one in promises().values() if one.quick or not quick}
    return [one for one in promises().values() if one.name in wanted]


def run(
    folder: Path,
    wanted: Iterable[Promise],
    *,
    quick: bool = False,
    on_case: Callable[[Promise, int], None] = lambda *_: None,
) -> Iterator[Result]:
    """Look at promises one after the other, in an empty folder on the disk that is to be trusted.

    A quick run tries fewer situations. Raises `UsageError` where the server's libraries are not installed, and
    `ArchiveError` where nothing can be written to the folder.
    """
    with bench(folder, quick=quick) as place:
        for one in wanted:
            yield _looked_at(one, place, on_case)


def _looked_at(one: Promise, place: Bench, on_case: Callable[[Promise, int], None]) -> Result:
    began, broken = time.monotonic(), None
    place.begin(lambda cases: on_case(one, cases))
    try:
        one.keep(place)
    except (Broken, ExporterError) as error:
        broken = str(error)
    except Exception as error:  # noqa: BLE001 - nothing that goes wrong may pass for a promise kept
        broken = f"{type(error).__name__}: {error}"
    return Result(one, place.cases, time.monotonic() - began, broken)


__all__ = ["Bench", "Broken", "Promise", "Result", "chosen", "names", "promises", "run"]
