"""Deletes a thread where it lives: one request, whose answer has to say that this thread is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from exporter.complaints import complaint
from exporter.errors import BadAnswer, ExporterError, NotFound, SourceError, SourceGone, Temporary
from exporter.model import ThreadRef, checked_id, printable
from exporter.sources import Answer, Deleter, Transport
from exporter.sources._answers import refusal
from exporter.sources._split import compact, member
from exporter.text import string


class Deleting:
    """What a `Shelf` whose API documents `DELETE PATH/{id}` has besides: `Deletable`."""

    path: ClassVar[str]
    headers: ClassVar[Mapping[str, str]]
    _transport: Transport

    async def delete(self, thread: ThreadRef) -> Answer:
        """Delete a thread on its server, as `Deletable` promises."""
        transport, path = self._transport, f"{self.path}/{checked_id(thread.id)}"
        if not isinstance(transport, Deleter):
            raise BadAnswer(f"{thread}: the way to its server can only read; nothing was deleted")
        answer = await transport.delete(path, self.headers)
        if not 200 <= answer.status < 300:
            raise _refused(answer, thread, path)
        _check(answer, thread, path)
        return answer


def _check(answer: Answer, thread: ThreadRef, path: str) -> None:
    """Raise `BadAnswer` unless an answer says that this thread is deleted."""
    try:
        said = compact(answer.body)
        done, name = member(said, "deleted") == b"true", string(member(said, "id"))
    except ValueError:
        done, name = False, None
    if not done or name != thread.id:
        what = "without saying that it is deleted" if not done else f"about {printable(str(name))}"
        raise BadAnswer(f"{thread}: DELETE {path} answered HTTP {answer.status} {what}")


def _refused(answer: Answer, thread: ThreadRef, path: str) -> ExporterError:
    """Return the error that a refusal stands for; who may not come in, and what is not there, is as when reading."""
    error = refusal(answer, thread, path, identified=True)
    if isinstance(error, NotFound) or (isinstance(error, SourceError) and not isinstance(error, SourceGone)):
        return error
    told = complaint(answer.body)
    said = f"HTTP {answer.status}" + (f": {told.message}" if told.message else "")
    if isinstance(error, Temporary):
        return Temporary(f"{thread}: DELETE {path} answered {said}; run again later")
    return BadAnswer(f"{thread}: DELETE {path} answered {said}; the server does not delete it")
