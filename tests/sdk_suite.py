"""OpenAI's own SDK tests against our sandbox: `make test-sdk`.

The tests come with the SDK's source distribution of the version that is installed here; they and what they need
live in `.cache/sdk/`, which git ignores. The last line is `N passed, N failed`; the exit code is 0 only when
every expected test passed.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

from exporter.sandbox import State, running

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "sdk"
INI = ROOT / "tests" / "sandbox" / "sdk_pytest.ini"
EXPECTED = 1125
MINUTES = 15

NEEDS = [
    "pytest",
    "pytest-asyncio",
    "pytest-xdist",
    "rich",
    "trio",
    "inline-snapshot",
    "dirty-equals",
    "time-machine",
    "numpy",
]
SUITES = [
    "beta/test_assistants.py",
    "beta/test_threads.py",
    "beta/threads",
    "beta/chatkit",
    "beta/agents/test_sessions.py",
    "beta/agents/sessions",
    "conversations",
    "test_conversations.py",
    "chat",
    "responses",
    "beta/test_responses.py",
    "beta/responses/test_input_items.py",
    "test_responses.py",
    "test_files.py",
    "test_containers.py",
    "containers/test_files.py",
    "test_vector_stores.py",
    "vector_stores/test_files.py",
]


def main() -> int:
    """Fetch what is missing, run, count."""
    version = importlib.metadata.version("openai")
    try:
        source, python = _source(version), _python(version)
    except subprocess.CalledProcessError as error:
        print(f"{error.stderr}\nThe SDK's tests could not be fetched: `make test-sdk` needs pip and a package index.")
        return 1
    with running(State.sdk_fixture()) as sandbox:
        print(f"openai {version}, sandbox at {sandbox.url}", flush=True)
        return _verdict(_run(source, python, sandbox.url))


def _source(version: str) -> Path:
    """The SDK's source tree, tests included."""
    folder = CACHE / f"openai-{version}"
    if not (folder / "tests" / "conftest.py").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "openai"]
        _call([*pip, "--dest", str(CACHE), f"openai=={version}"])
        with tarfile.open(CACHE / f"openai-{version}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return folder


def _python(version: str) -> Path:
    """An interpreter that has the SDK and what its tests need."""
    folder = CACHE / f"venv-{version}"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        venv.create(folder, with_pip=True, clear=True)
        _call([str(python), "-m", "pip", "install", "--quiet", f"openai[aiohttp]=={version}", *NEEDS])
        ready.touch()
    return python


def _run(source: Path, python: Path, url: str) -> str:
    suites = [f"tests/api_resources/{suite}" for suite in SUITES]
    pytest = [str(python), "-m", "pytest", "-c", str(INI), "--rootdir", str(source), "-k", "list or retrieve"]
    done = subprocess.run(
        [*pytest, *suites],
        cwd=source,
        env={"TEST_API_BASE_URL": url, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=MINUTES * 60,
        check=False,
    )
    return done.stdout


def _verdict(output: str) -> int:
    """Print the counts, and what pytest said when something failed."""
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", output)}
    passed = counts.get("passed", 0)
    failed = sum(counts.values()) - passed
    good = passed == EXPECTED and not failed
    if not good:
        print(output)
        print(f"expected {EXPECTED} passed")
    print(f"{passed} passed, {failed} failed")
    return 0 if good else 1


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True, timeout=MINUTES * 60)


if __name__ == "__main__":
    sys.exit(main())
