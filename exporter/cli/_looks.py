"""How looks are shown: a tree with a table on a terminal, one line each elsewhere, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from exporter.cli._output import Output, redacted
from exporter.model import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from exporter.doctor import Card, Look

STYLES = {"good": "green", "note": "yellow", "bad": "bold red"}
IN_TREE = ("profile", "source", "clock")
MARKS = {"good": "✓", "note": "•", "bad": "✗"}


def show(looks: Iterable[Look], out: Output) -> Iterator[Look]:
    """Show looks, and pass them on."""
    if not out.as_json and sys.stdout.isatty():
        yield from _drawn(looks, _console())
        return
    for look in looks:
        out.item("look", fields(look), _line(look))
        yield look


def fields(look: Look) -> dict[str, Any]:
    """Say all about a look that programs may want."""
    said = {"about": look.about, "subject": look.subject, "state": look.state, "what": _clean(look.what)}
    done = {"help": _clean(look.help), "exit_code": look.exit_code, "paste": look.paste or None}
    return {**said, **done, **look.facts}


def show_cards(cards: Iterable[Card], out: Output) -> int:
    """Show the cards of an archive; return how many there are."""
    count = 0
    for count, card in enumerate(cards, 1):  # noqa: B007 - the last number is wanted
        first, last = (at[:16].replace("T", " ") for at in (card.first_at, card.last_at))
        when = f"{last} UTC" if first == last else f"{first} to {last} UTC"
        out.item(
            "card", asdict(card), printable(f"{card.endpoint} {card.project}, {card.source}: {when}: {_does(card)}")
        )
    return count


def _line(look: Look) -> str:
    hint = f"\n       -> {_clean(look.help)}" if look.help else ""
    paste = "".join(f"\n          {line}" for line in look.paste.splitlines())
    return f"{look.state:<6} {printable(look.subject)}: {_clean(look.what)}{hint}{paste}"


def _clean(text: str) -> str:
    return redacted(printable(text))


def _does(card: Card) -> str:
    from exporter.doctor import traits

    lists = {True: "lists its threads", False: "does not list its threads", None: ""}[card.lists]
    lacks = f"lacks {', '.join(card.scopes)}" if card.scopes else ""
    return ", ".join(text for text in (card.does, lists, lacks, *traits(card)) if text)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def _drawn(looks: Iterable[Look], console: Console) -> Iterator[Look]:
    """Draw what belongs to one profile as a tree, its sources as a table; and the rest below."""
    from rich.text import Text

    with console.status("asking ..."):
        found = list(looks)
    for _, group in groupby(found, lambda look: look.about in IN_TREE and look.facts.get("profile")):
        together = list(group)
        if together[0].about == "profile":
            console.print(_tree(together), Text(), sep="\n")
        else:
            console.print(*map(_entry, together), sep="\n")
    yield from found


def _tree(looks: list[Look]) -> RenderableType:
    from rich.tree import Tree

    tree = Tree(_entry(looks[0]), guide_style="dim")
    sources = [look for look in looks if look.about == "source"]
    if sources:
        tree.add(_table(sources))
    for look in looks[1:]:
        if look.about != "source":
            tree.add(_entry(look, look.subject.rpartition(", ")[2]))
    return tree


def _table(looks: list[Look]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=True, header_style="dim")
    for title in ("", "source", "what it does", "asked"):
        table.add_column(title, overflow="fold")
    for look in looks:
        mark, what = _entry(look, ""), look.facts.get("requests", "")
        table.add_row("", str(look.facts.get("source", "")), mark, str(what))
    return table


def _entry(look: Look, subject: str | None = None) -> RenderableType:
    from rich.text import Text

    text = Text()
    text.append(f"{MARKS[look.state]} ", STYLES[look.state])
    called = look.subject if subject is None else subject
    if called:
        text.append(f"{printable(called)}  ", "bold")
    text.append(_clean(look.what))
    if look.help:
        text.append(f"\n  → {_clean(look.help)}", "cyan" if look.state != "bad" else "bold cyan")
    if look.paste:
        text.append("".join(f"\n      {line}" for line in look.paste.splitlines()))
    return text
