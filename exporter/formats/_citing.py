"""Where what is said comes from: the sources of an entry, each once, and their numbers in its text.

The idea: servers mark a citation by an odd word in the text (`【4:0†source】`) or by a place behind it. People know
`[1]`, explained below; so that stands there, whatever the server's way.
"""

from __future__ import annotations

from dataclasses import replace

from exporter.formats._entries import Citation, Entry


def cited(entry: Entry) -> tuple[str, tuple[Citation, ...]]:
    """Return the text with [1], [2] ... where sources are cited, and these sources in the order of their numbers."""
    placed, begun = list[tuple[int, int, Citation]](), dict[str, int]()
    nowhere = list[Citation]()
    for each in entry.citations:
        source = replace(each, mark="", place=None)
        at = entry.text.find(each.mark, begun.get(each.mark, 0)) if each.mark else -1
        if at >= 0:
            begun[each.mark] = at + len(each.mark)
            placed.append((at, begun[each.mark], source))
        elif each.place is not None:
            placed.append((each.place, each.place, source))
        else:
            nowhere.append(source)
    placed.sort(key=lambda one: one[:2])
    numbers = {one: n for n, one in enumerate(dict.fromkeys([*(source for *_, source in placed), *nowhere]), 1)}
    told, after = list[str](), 0
    for begin, end, source in placed:
        if begin >= after:
            told += [entry.text[after:begin], f"[{numbers[source]}]"]
            after = end
    return "".join(told) + entry.text[after:], tuple(numbers)
