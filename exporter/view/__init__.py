"""`exporter view`: an archive as pages in a browser on this machine, for who has the printed address.

    _guard    who may ask at all: this machine, this browser, with the token; headers of every answer
    _pages    what answers: addresses to pages
    _sidebar  the list of threads, page by page
    _thread   a conversation, part by part
    _finding  full text search, where `exporter.search` can be used
    _blobs    contents of files, so that a browser runs none of them
    _server   the listener, on a loopback address

The idea: every request opens the archive anew and reads only, so a backup may run beside, and what it brings is there
on the next look. Nothing of others is ever part of a page but as escaped text, or as what `formats` made harmless.
"""

from __future__ import annotations

from exporter.view._server import Viewer, listening, serve

__all__ = ["Viewer", "listening", "serve"]
