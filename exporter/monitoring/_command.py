"""A command that hears of a failed night: its input is the summary, and no key is in its environment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from exporter.errors import ExporterError
from exporter.model import scrubbed
from exporter.monitoring._ending import Ending

SECONDS = 60.0
SECRET = re.compile("KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
A_KEY = re.compile(r"\b(sk|sess|ek)-[A-Za-z0-9_-]{6,}")


def run(command: Sequence[str], ending: Ending, keys: frozenset[str] = frozenset(), seconds: float = SECONDS) -> None:
    """Run it; `ExporterError` where it fails or takes too long, and then it is ended with all that it started.

    `keys` are variables that have keys, although they are not called so.
    """
    told = json.dumps({"message_type": "summary", **ending.summary()}, default=str)
    environ = {**without_secrets(os.environ, keys), "EXPORTER_EXIT_CODE": str(ending.exit_code)}
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environ, start_new_session=True
        )
    except OSError as error:
        raise ExporterError(f"{command[0]} cannot be started: {error.strerror or error}") from None
    with process:
        try:
            process.communicate(told.encode(), seconds)
        except subprocess.TimeoutExpired:
            raise ExporterError(f"{command[0]} was ended after {seconds:g} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise ExporterError(f"{command[0]} ended with {process.returncode}")


def without_secrets(environ: Mapping[str, str], keys: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return an environment without `keys`, and what is called a secret, was revealed as one or looks like a key."""
    return {
        name: value
        for name, value in environ.items()
        if not (name in keys or SECRET.search(name) or A_KEY.search(value) or scrubbed(value) != value)
    }
