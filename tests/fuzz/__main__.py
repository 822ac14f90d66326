"""All parsers for so many seconds together, each in a process of its own: `python -m tests.fuzz --seconds 600`."""

from __future__ import annotations

import argparse
import multiprocessing

from tests.fuzz import names
from tests.fuzz._running import one


def main() -> int:
    """Run all, or those that are named."""
    parser = argparse.ArgumentParser(description="feed every parser of outside bytes with what may come")
    parser.add_argument("names", nargs="*", default=names())
    parser.add_argument("--seconds", type=float, default=600.0, help="of CPU, for all together")
    said = parser.parse_args()
    share = said.seconds / len(said.names)
    context = multiprocessing.get_context("spawn")
    bad = []
    for name in said.names:
        process = context.Process(target=one, args=(name, share))
        process.start()
        process.join(share * 20 + 300)
        if process.is_alive():
            process.kill()
        if process.exitcode != 0:
            bad.append(name)
    print(f"{len(said.names)} parsers, {len(bad)} with findings: {', '.join(bad)}" if bad else "no findings")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
