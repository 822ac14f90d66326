"""`make pictures`: the pictures of the documents, made from the sample archive.

    python -m tests.pictures            # all of them
    python -m tests.pictures analysts   # those of one maker

A maker is a function with `@maker`: it is given the sample archive and the folder `docs/img`, and writes files there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import pictures_view

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "img"
Maker = Callable[[Path, Path], None]
MAKERS: dict[str, Maker] = {}

SHOWN = {
    "analysts": ("volume", "hours", "tokens", "seconds"),
    "operators": ("equation", "learned", "runs"),
}
"Which figures of the notebooks are in the documents."


def maker(make: Maker) -> Maker:
    """Add a function that makes pictures, under its own name."""
    MAKERS[make.__name__] = make
    return make


@maker
def analysts(archive: Path, images: Path) -> None:
    _figures("analysts", archive, images)


@maker
def operators(archive: Path, images: Path) -> None:
    _figures("operators", archive, images)


maker(pictures_view.viewer)
maker(pictures_view.terminal)


def _figures(name: str, archive: Path, images: Path) -> None:
    from tests.tours import run

    with TemporaryDirectory() as home:
        cells = run(f"{name}.ipynb", archive, Path(home))
    for figure in SHOWN[name]:
        (images / f"{name}-{figure}.png").write_bytes(cells[f"{figure}-figure"].pictures[0])


def main(names: list[str]) -> int:
    from tests.tours import make_archive

    if unknown := [name for name in names if name not in MAKERS]:
        print(f"there is no maker {', '.join(unknown)}; there are {', '.join(MAKERS)}", file=sys.stderr)
        return 2
    IMAGES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        archive = make_archive(Path(folder) / "archive")
        for name in names or MAKERS:
            MAKERS[name](archive, IMAGES)
            print(f"{name}: done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
