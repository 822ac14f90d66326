"""What we are built from: licences that a user can live with, and no known holes.

python -m tests.supply licences    # of every installed package; part of `make lint`, needs no network
python -m tests.supply holes       # asks an advisory service by pip-audit; part of `make lint` where one answers
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

FREE = re.compile(
    r"(?:the )?(?:mit|mit-0|mit-cmu|0?bsd(?:[ -][234][ -]clause)?|apache(?:[ -](?:software|license))*[ -]*(?:2\.0)?"
    r"|psf-2\.0|python software foundation|python-2\.0|isc|zlib|cc0-1\.0|unlicense|dfsg approved"
    r"|mozilla public license 2\.0|mpl[ -]2\.0)(?: license)?"
)
"May be used by anybody; MPL asks for changes to its own files only."
KNOWN = {
    "conversation-exporter": "it is ours",
    "python-stdnum": "LGPL, used as it is, and only by the extra `sharing`",
    "matplotlib": "its own licence, after that of Python",
}
SECONDS = 240


def licences() -> int:
    """Return 1 if a package has a licence that nobody has looked at."""
    found = _json("piplicenses", "--format=json", "--from=mixed")
    strange = [one for one in found if one["Name"].lower() not in KNOWN and not _is_free(one["License"])]
    for one in strange:
        print(f"{one['Name']} {one['Version']}: {one['License'][:80]!r} is not among the licences of tests/supply.py")
    print(f"{len(found)} packages, {len(strange)} with a licence that is not allowed")
    return 1 if strange else 0


def _is_free(text: str) -> bool:
    """Whether all parts of what a package says are allowed; of several to choose from, one."""
    plain = re.sub(r"\((?:ISCL|MPL 2\.0)\)|[()]", "", text)
    choices = [re.split(r"\bOR\b", part) for part in re.split(r"\bAND\b|;|,", plain) if part.strip()]
    return bool(choices) and all(any(FREE.fullmatch(one.strip().lower()) for one in part) for part in choices)


def holes() -> int:
    """Return 1 if a package has a published hole; where nobody can be asked, say so."""
    where = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    words = ("--path", str(where), "--format=json", "--timeout=10", "--progress-spinner=off")
    try:
        found = _json("pip_audit", *words)["dependencies"]
    except (ValueError, subprocess.TimeoutExpired):
        print("no advisory service could be asked: nothing is known of holes")
        return 0
    bad = [(one["name"], one["version"], hole["id"]) for one in found for hole in one.get("vulns", ())]
    unknown = sum("skip_reason" in one for one in found)
    for name, version, hole in bad:
        print(f"{name} {version}: {hole}")
    print(f"{len(found)} packages, {len(bad)} holes; of {unknown} the advisory service that was asked knows nothing")
    return 1 if bad else 0


def _json(module: str, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", module, *words], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit({"licences": licences, "holes": holes}[sys.argv[1]]())
