"""`make mutants`: change the core in one place after the other, and see whether a test notices.

Works on a copy in a temporary folder, and writes nothing else. Only wordings are left as they are: sentences, and what
is said in a `raise`. A change that no test notices is printed as a difference; one that makes a test hang is noticed.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter import errors

ROOT = Path(__file__).parents[1]
ORIGINAL = "orig"
EXAMPLES = 100
DID_NOT_RUN = 255
"What mutmut takes for a timeout, among others: pytest refused what it was asked to run."
NEEDED = ("exporter", "tests", "docs", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Room:
    """Modules and the tests that guard them: fast ones, which run in this process."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


ROOMS = {
    "paging": Room(
        tuple(
            f"exporter/sources/{name}.py"
            for name in ("_paging", "_probes", "_state", "_anchors", "_seen", "_habits", "_numbers")
        ),
        tuple(
            f"tests/sources/test_{name}.py"
            for name in (
                "anchors",
                "probes",
                "habits",
                "paging",
                "paging_edges",
                "cut_off",
                "listing",
                "numbers",
                "silent_stops",
            )
        ),
    ),
    "ends": Room(
        tuple(f"exporter/sources/{name}.py" for name in ("_both_ends", "_asking", "_chain")),
        tuple(
            f"tests/sources/test_{name}.py"
            for name in ("both_ends", "both_ends_lies", "listing", "requests", "silent_stops", "responses")
        ),
    ),
    "retention": Room(("exporter/retention.py",), ("tests/test_retention.py",)),
    "archive": Room(
        tuple(
            f"exporter/archive/{name}.py"
            for name in ("_journal", "_lines", "_blocks", "_commits", "_segments", "_manifests")
        ),
        tuple(
            f"tests/archive/test_{name}.py"
            for name in (
                "format",
                "journal",
                "segments",
                "blocks",
                "later",
                "odd_files",
                "reading",
                "archive_laws",
                "crashes",
                "written_again",
            )
        ),
    ),
    "gone": Room(("exporter/crawl/_gone.py",), ("tests/test_gone.py",)),
    "sweep": Room(
        ("exporter/crawl/_sweep.py", "exporter/crawl/_overlap.py"),
        ("tests/test_sweep_laws.py", "tests/test_cut_off.py"),
    ),
}


def mutants(path: str) -> list[str]:
    """Name the changes to a module of the working folder, but for those of wording alone."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    made = mutate_file_contents(path, Path(path).read_text("utf-8"))
    meant: dict[str, str] = {}
    for node in ast.walk(ast.parse(made.code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name:
            name, node.name = node.name, ""
            meant[name] = ast.dump(_Wordless().visit(node))
    changed = [name for name in made.mutant_names if meant[name] != meant[f"{name.rpartition('_')[0]}_{ORIGINAL}"]]
    return [get_mutant_name(Path(path), name) for name in changed]


ERRORS = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)}
ERRORS |= {name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, Exception)}


class _Wordless(ast.NodeTransformer):
    """Takes the wording out of a function: sentences, what errors say, and what is said to the type checker alone."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) and " " in node.value else node

    def visit_JoinedStr(self, _: ast.JoinedStr) -> ast.Constant:
        return ast.Constant("")

    def visit_Call(self, node: ast.Call) -> ast.AST:
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        self.generic_visit(node)
        if called == "cast":
            return node.args[-1]
        return ast.Call(node.func, [], []) if called in ERRORS else node


def tried(room: Room, share: int, seed: str, until: float) -> Iterator[tuple[str, str, str]]:
    """Yield the module, the state and the difference of each change of a room that was drawn."""
    from mutmut.configuration import reset_config

    with tempfile.TemporaryDirectory(prefix="exporter-mutants-") as folder, contextlib.chdir(folder):
        for name in NEEDED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, name)
        Path("pyproject.toml").write_text(Path("pyproject.toml").read_text("utf-8") + _settings(room), "utf-8")
        _hurry(Path("tests"))
        reset_config()
        drawn = [name for path in room.modules for name in _drawn(mutants(path), share, f"{seed} {path}")]
        words = ["mutmut", "run", "--max-children", "1", *drawn]
        with contextlib.suppress(subprocess.TimeoutExpired), Path("said").open("wb") as said:
            # what was tried until then counts
            seconds = max(1.0, until - time.monotonic())
            ended = subprocess.run(words, stdout=said, stderr=said, timeout=seconds, check=False, env=_environment())
            if ended.returncode:
                sys.exit("the tests do not pass as it is, so no change was tried:\n" + _end_of("said"))
        yield from _states(set(drawn))


def _end_of(name: str) -> str:
    """Return the last lines of what was said, without the steps of a progress display."""
    text = Path(name).read_text("utf-8", "replace")
    return "\n".join(line.rpartition("\r")[2] for line in text.splitlines()[-40:])


def _hurry(tests: Path) -> None:
    """Let laws be tried on so many examples at most: one that needs more notices little."""
    for path in tests.rglob("*.py"):
        text = path.read_text("utf-8")
        path.write_text(re.sub(r"max_examples=\d{3,}", f"max_examples={EXAMPLES}", text), "utf-8")


def _drawn(names: Sequence[str], share: int, seed: str) -> list[str]:
    return sorted(random.Random(seed).sample(names, -(-len(names) * share // 100)))


def _settings(room: Room) -> str:
    """Return the tool's settings for a room."""
    fields = {
        "source_paths": ["exporter"],
        "only_mutate": room.modules,
        "also_copy": ["docs"],
        "pytest_add_cli_args": ["-n0", "-p", "no:cacheprovider", "--hypothesis-seed=0"],
        "pytest_add_cli_args_test_selection": room.tests,
        "process_isolation": "forkserver",
        "timeout_multiplier": 5.0,
        "timeout_constant": 5.0,
    }
    return "\n[tool.mutmut]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())


def _environment() -> dict[str, str]:
    beside = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"}


def _states(names: set[str]) -> Iterator[tuple[str, str, str]]:
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.file_utils import walk_mutatable_files

    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            if name in names:
                state = "tests did not run" if code == DID_NOT_RUN else status_by_exit_code[code]
                yield str(path), state, f"{name}\n{get_diff_for_mutant(name, path=path)}"


def main() -> int:
    """Try the rooms, and print what no test noticed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)}; default: all")
    options.add_argument("--share", type=int, default=25, help="how many of a hundred changes are tried")
    options.add_argument("--seed", default="1", help="draws them")
    options.add_argument("--seconds", type=float, default=3600)
    given = options.parse_args()
    until = time.monotonic() + given.seconds
    for room in given.rooms or ROOMS:
        counts: dict[str, Counter[str]] = {}
        for path, state, difference in tried(ROOMS[room], given.share, given.seed, until):
            counts.setdefault(path, Counter())[state] += 1
            if state not in ("killed", "timeout", "not checked"):
                print(f"{state}: {difference}\n", flush=True)
        for path, states in counts.items():
            print(f"{path}: {', '.join(f'{count} {state}' for state, count in sorted(states.items()))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
