"""A thousand checks beside a writer that dies: `python -m tests.torture_check --checks 1000`."""

from __future__ import annotations

import argparse
import time

from tests.checking_beside import torture


def main() -> int:
    """Run it from a terminal."""
    parser = argparse.ArgumentParser(description="checks beside a writer that is killed again and again")
    parser.add_argument("--checks", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    said = parser.parse_args()
    score = torture(said.checks, said.seconds, said.seed)
    print(f"seed {said.seed}: {score}")
    print(f"notes: {dict(score.notes)}")
    for one in (*score.alarms, *score.errors):
        print(one)
    return 1 if score.alarms or score.errors else 0


if __name__ == "__main__":
    raise SystemExit(main())
