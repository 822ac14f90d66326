from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import traceback
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from exporter.endpoint import is_public
from exporter.errors import BadAnswer, BudgetReached, ExporterError, Temporary
from exporter.model import Profile, Secret
from exporter.pacing import Pace
from exporter.sources import Answer
from exporter.transport import Budget, HttpTransport
from tests.serving import DRIP, Reply, Server, reply, serving

KEY = "sk-very-secret-0123456789"
SIGNATURE = "sig-very-secret"


@dataclass
class Kept:
    """A sink that remembers."""

    pieces: list[bytes] = field(default_factory=list)
    restarts: int = 0

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def restart(self) -> None:
        self.restarts += 1
        self.pieces.clear()

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)


@pytest.fixture
def other() -> Iterator[Server]:
    with serving() as told:
        yield told


def download(url: str, path: str, sink: Any = None, **options: Any) -> tuple[Answer, Any, HttpTransport]:
    sink = Kept() if sink is None else sink

    async def story() -> tuple[Answer, Any, HttpTransport]:
        profile = Profile(base_url=url, key=Secret(KEY), organization="org_1", project="proj_1")
        pace = options.pop("pace", Pace(4))
        async with asyncio.timeout(60), HttpTransport(profile, pace, **options) as transport:
            return await transport.download(path, sink, {"OpenAI-Beta": "agents=v1"}), sink, transport

    return asyncio.run(story())


def test_the_bytes_come_as_they_are_with_the_login_of_the_profile(server: Server) -> None:
    content = bytes(range(256)) * 9000
    server.replies = [reply(200, content, Content_Type="image/png")]
    answer, sink, transport = download(server.url, "/files/f/content")

    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"", "image/png")
    assert (sink.content, sink.restarts, transport.requests) == (content, 0, 1)
    assert max(map(len, sink.pieces)) <= 2**20
    asked = server.headers[0]
    assert (asked["authorization"], asked["openai-beta"]) == (f"Bearer {KEY}", "agents=v1")
    assert (asked["accept"], asked["accept-encoding"]) == ("application/binary", "identity")


@pytest.mark.parametrize("bad", [None, reply(200, b"half", Content_Length="100"), reply(500), reply(429)])
def test_a_download_that_breaks_off_begins_again(server: Server, bad: Reply | None) -> None:
    server.replies = [bad, bad, reply(200, b"whole")]
    _, sink, transport = download(server.url, "/files/f/content")

    assert (sink.content, sink.restarts, transport.requests) == (b"whole", 2, 3)


def test_a_download_that_always_breaks_off_is_temporary(server: Server) -> None:
    server.replies = [reply(200, b"half", Content_Length="100")]
    with pytest.raises(Temporary, match=r"/files/f/content at .*no whole answer.*attempt 4"):
        download(server.url, "/files/f/content")

    assert len(server.paths) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_an_answer_and_no_content(server: Server, status: int) -> None:
    server.replies = [reply(status, b'{"error": {"message": "no"}}')]
    answer, sink, _ = download(server.url, "/files/f/content")

    assert (answer.status, answer.body, sink.pieces) == (status, b'{"error": {"message": "no"}}', [])


@pytest.mark.parametrize("error", [ValueError("full"), TimeoutError("full"), OSError("full"), KeyError("full")])
@pytest.mark.parametrize("away", [False, True])
def test_what_the_sink_raises_comes_through_and_the_connection_is_closed(
    server: Server, error: Exception, away: bool
) -> None:
    class Full(Kept):
        def write(self, data: bytes) -> None:
            assert data
            raise error

    server.replies = [reply(200, DRIP)]
    with pytest.raises(type(error)) as caught:
        download(server.url, f"{server.root}/x" if away else "/x", Full())

    assert caught.value is error
    assert server.left.wait(10)
    assert len(server.paths) == 1


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_content_that_comes_packed_all_the_same_is_unpacked(server: Server, coding: str) -> None:
    content = bytes(range(256)) * 999
    packed = gzip.compress(content) if coding == "gzip" else zlib.compress(content)
    server.replies = [reply(200, packed, Content_Encoding=coding)]

    assert download(server.url, "/x")[1].content == content


def test_packed_files_joined_to_one_are_unpacked_to_their_end(server: Server) -> None:
    server.replies = [reply(200, gzip.compress(b"one ") + gzip.compress(b"two"), Content_Encoding="gzip")]

    assert download(server.url, "/x")[1].content == b"one two"


def test_packed_content_that_ends_early_is_not_whole(server: Server) -> None:
    packed = gzip.compress(bytes(range(256)) * 99)
    cut = reply(200, packed[:-9], Content_Encoding="gzip")
    server.replies = [cut, reply(200, packed, Content_Encoding="gzip")]

    assert download(server.url, "/x")[1].content == bytes(range(256)) * 99
    server.replies = [cut]
    with pytest.raises(Temporary, match="ended early"):
        download(server.url, "/x")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "gzip"])
def test_content_that_cannot_be_unpacked_is_refused(server: Server, coding: str) -> None:
    server.replies = [reply(200, b"\x00nothing that anybody packed", Content_Encoding=coding)]
    with pytest.raises(BadAnswer, match=r"GET /x at .*packed"):
        download(server.url, "/x")

    assert len(server.paths) == 1


def test_a_bomb_comes_in_small_pieces_until_the_sink_has_enough(server: Server) -> None:
    class Small(Kept):
        def write(self, data: bytes) -> None:
            super().write(data)
            if len(self.content) > 3 * 2**20:
                raise OverflowError

    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(256)) + packer.flush()
    server.replies = [reply(200, bomb, Content_Encoding="gzip")]
    sink = Small()
    with pytest.raises(OverflowError):
        download(server.url, "/x", sink)

    assert max(map(len, sink.pieces)) <= 2**20
    assert len(sink.content) <= 5 * 2**20


@pytest.mark.parametrize("away", [False, True])
def test_a_download_that_drips_for_ever_ends(server: Server, away: bool) -> None:
    server.replies = [reply(200, DRIP)]
    with pytest.raises(Temporary, match="too slowly"):
        download(server.url, f"{server.root}/x" if away else "/x", patience=0.2)

    assert server.left.wait(10)
    assert len(server.paths) == 1


def test_an_address_that_the_server_names_is_asked_as_nobody(server: Server, other: Server) -> None:
    server.replies, other.replies = [reply()], [reply(200, b"picture", Set_Cookie="a=b")]
    answer, sink, transport = download(server.url, f"{other.root}/a%2Fb.png?{SIGNATURE}=%2B&x=1#top")

    assert (answer.status, sink.content, transport.requests) == (200, b"picture", 1)
    assert (server.paths, other.paths) == ([], [f"/a%2Fb.png?{SIGNATURE}=%2B&x=1"])
    assert set(other.headers[0]) == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert other.headers[0]["host"] == other.root.removeprefix("http://")
    assert KEY not in str(other.headers[0])


def test_redirects_elsewhere_are_followed_a_little_and_carry_nothing_over(server: Server, other: Server) -> None:
    hop = reply(302, b"", Location="/next", Set_Cookie="a=b")
    server.replies, other.replies = [reply()], [hop, hop, hop, reply(200, b"picture")]
    _, sink, transport = download(server.url, f"{other.root}/first")

    assert (sink.content, other.paths, transport.requests) == (b"picture", ["/first", "/next", "/next", "/next"], 4)
    assert all("cookie" not in asked for asked in other.headers)
    other.replies = [hop]
    with pytest.raises(BadAnswer, match="more than 3 redirects"):
        download(server.url, f"{other.root}/first")


def test_a_redirect_away_from_the_endpoint_is_followed_without_the_key(server: Server, other: Server) -> None:
    server.replies = [reply(302, b"", Location=f"{other.root}/blob?{SIGNATURE}")]
    other.replies = [reply(200, b"picture")]
    answer, sink, transport = download(server.url, "/files/f/content")

    assert (answer.status, sink.content, transport.requests) == (200, b"picture", 2)
    assert "authorization" not in other.headers[0]
    other.replies = [reply(403, b"expired")]
    with pytest.raises(
        BadAnswer, match=r"GET /files/f/content .*redirected to http://127.*answered HTTP 403"
    ) as caught:
        download(server.url, "/files/f/content")
    assert SIGNATURE not in str(caught.value)


@pytest.mark.parametrize("there", ["https://[::1", "http://a@[x", "//["])
@pytest.mark.parametrize("away", [False, True])
def test_a_redirect_to_what_is_no_address_is_refused(server: Server, other: Server, there: str, away: bool) -> None:
    server.replies = other.replies = [reply(302, b"", Location=f"{there}?{SIGNATURE}")]
    with pytest.raises(BadAnswer, match="no web address") as caught:
        download(server.url, f"{other.root}/x" if away else "/files/f/content")
    assert SIGNATURE not in str(caught.value)

    server.replies = [reply(404, b"none", Location=there)]
    assert download(server.url, "/files/f/content")[0].status == 404


def test_a_redirect_within_the_endpoint_is_an_answer(server: Server) -> None:
    server.replies = [reply(307, b"", Location="/v1/files/f/content/")]

    assert download(server.url, "/files/f/content")[0].status == 307
    assert len(server.paths) == 1


LOCAL_ONLY = ["http://10.0.0.1/x", "https://10.0.0.1/x", "https://169.254.169.254/latest", "https://[fd00::1]/x"]


@pytest.mark.parametrize("url", [
    "http://files.example/x", "http://127.0.0.1:9/x", "https://127.0.0.1:9/x", "https://[::1]:9/x", "https://localhost:9/x",
    "https://2130706433/x", "https://0x7f.1/x", "https://0.0.0.0/x", "https://[::ffff:127.0.0.1]/x", "https://u:p@8.8.8.8/x",
    "https://127.0.0.1%2eevil.example/x", "https://8.8.8.8%x.example/x", "https://[::1%25.evil.example]/x",
    "https://[::1].evil.example/x",
    "file:///etc/passwd", "data:text/plain,x", "ftp://8.8.8.8/x", "https:///x", "https://[::1/x", "8.8.8.8/x",
    "", "x", *LOCAL_ONLY,
])  # fmt: skip
def test_no_server_sends_us_into_our_own_network(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    budget = Budget(0)  # nothing is sent
    with pytest.raises(BadAnswer) as caught:
        download("https://api.example/v1", f"{url}?{SIGNATURE}", budget=budget)

    assert SIGNATURE not in str(caught.value)


@pytest.mark.parametrize("url", LOCAL_ONLY)
def test_not_even_a_server_on_this_machine_sends_us_further_into_it(url: str) -> None:
    with pytest.raises(BadAnswer, match=r"private network|plain http"):
        download("http://127.0.0.1:9/v1", url, budget=Budget(0))


@pytest.mark.parametrize(("found", "public"), [
    (["10.0.0.1"], False), (["169.254.169.254", "::1"], False),
    (["93.184.216.34"], True), (["10.0.0.1", "2606:4700::1"], True),
])  # fmt: skip
def test_a_name_is_as_private_as_its_addresses(found: list[str], public: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    looking_up(monkeypatch, lambda _: found)
    connected: list[str] = []

    async def connect_tcp(remote_host: str, **_: Any) -> None:
        connected.append(remote_host)
        raise ConnectionRefusedError

    monkeypatch.setattr("anyio.connect_tcp", connect_tcp)
    with pytest.raises(Temporary if public else BadAnswer):
        download("https://api.example/v1", "https://files.example/x")

    assert set(connected) == {one for one in found if is_public(one)}


def looking_up(monkeypatch: pytest.MonkeyPatch, found: Callable[[str], list[str]]) -> None:
    async def getaddrinfo(_: Any, host: str, port: int, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found(host)]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)


def test_a_name_that_nobody_knows_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: str) -> list[str]:
        raise socket.gaierror

    looking_up(monkeypatch, nobody)
    with pytest.raises(Temporary, match=r"files\.example cannot be looked up"):
        download("https://api.example/v1", f"https://files.example/x?{SIGNATURE}")


def certificate(path: Path, name: str, *addresses: str) -> ssl.SSLContext:
    """Make a certificate for a name and addresses, and the settings of a server that has it."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(name), *(x509.IPAddress(ipaddress.ip_address(one)) for one in addresses)]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = path.with_suffix(".key")
    path.write_bytes(made.public_bytes(pem))
    secret.write_bytes(key.private_bytes(pem, plain, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return context


@pytest.mark.parametrize(("name", "proven"), [("files.example", True), ("other.example", False)])
def test_the_name_is_proven_though_the_address_is_connected_to(
    name: str, proven: bool, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def found(host: str) -> list[str]:
        asked.append(host)  # who asks twice, once to look and once to connect, is led astray
        return ["127.0.0.1"] if not proven or len(asked) == 1 else ["10.0.0.1"]

    looking_up(monkeypatch, found)
    tls = certificate(tmp_path / "cert.pem", name)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with serving(tls) as far:
        far.replies = [reply(200, b"picture")]
        url = far.root.replace("127.0.0.1", "files.example") + "/x"
        if not proven:
            with pytest.raises(Temporary, match=r"no answer came from https://files\.example"):
                download(server.url, url)
            assert far.paths == []
            return
        assert download(server.url, url)[1].content == b"picture"

    assert far.headers[0]["host"] == url.split("/")[2]


def test_a_proxy_looks_the_name_up(server: Server, other: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> list[str]:
        raise socket.gaierror

    looking_up(monkeypatch, unknown)
    monkeypatch.setenv("http_proxy", other.root)
    other.replies = [reply(200, b"picture")]
    monkeypatch.setattr("exporter.transport._elsewhere.Elsewhere.is_ours", lambda *_: True)

    assert download(server.url, "http://files.example/x")[1].content == b"picture"
    assert other.paths == ["http://files.example/x"]


@pytest.mark.parametrize("by_redirect", [False, True])
def test_no_proxy_stands_between_two_servers_of_this_machine(
    server: Server, other: Server, by_redirect: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.replies = [reply(200, b"picture")]
    server.replies = [reply(302, b"", Location=f"{other.root}/x?{SIGNATURE}")]
    with serving() as by:
        by.replies = [reply(200, b"false")]
        for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, by.root)
        path = "/files/f/content" if by_redirect else f"{other.root}/x?{SIGNATURE}"
        assert download(server.url, path)[1].content == b"picture"
        assert by.paths == []


def test_every_request_of_a_download_counts(server: Server, other: Server) -> None:
    server.replies = [reply(302, b"", Location=f"{other.root}/blob")]
    other.replies = [reply(200, b"picture")]
    with pytest.raises(BudgetReached):
        download(server.url, "/files/f/content", budget=Budget(1))

    assert (len(server.paths), other.paths) == (1, [])


def test_another_servers_complaint_does_not_slow_the_endpoint(server: Server, other: Server) -> None:
    other.replies = [reply(429), reply(200, b"picture")]
    pace = Pace(4)
    _, sink, _ = download(server.url, f"{other.root}/x", pace=pace)

    assert sink.content == b"picture"
    assert not pace.allowance.careful


@pytest.mark.parametrize("bad", [None, reply(500), reply(200, b"half", Content_Length="100"), reply(404, b"x" * 2**20)])
@pytest.mark.parametrize("away", [False, True])
def test_neither_key_nor_signature_is_in_an_error(server: Server, other: Server, bad: Reply | None, away: bool) -> None:
    server.replies, other.replies = [bad], [bad]
    path = f"{other.root}/x?{SIGNATURE}" if away else "/x"
    if bad is not None and bad[0] == 404:
        assert len(download(server.url, path)[0].body) == (2**16 if away else 2**20)
        return
    with pytest.raises(ExporterError) as caught:
        download(server.url, path)

    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert [secret for secret in (KEY, SIGNATURE) if secret in told] == []


@pytest.mark.parametrize(("address", "public"), [
    ("8.8.8.8", True), ("2606:4700::1", True), ("::ffff:8.8.8.8", True), ("64:ff9b::808:808", True),
    ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.0.1", False),
    ("169.254.169.254", False),
    ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("240.0.0.1", False), ("255.255.255.255", False),
    ("::", False), ("::1", False), ("fe80::1%eth0", False), ("fec0::1", False), ("fd00::1", False), ("ff0e::1", False),
    ("::ffff:127.0.0.1", False), ("64:ff9b::a9fe:a9fe", False), ("2002:7f00:1::", False), ("::127.0.0.1", False),
])  # fmt: skip
def test_which_addresses_are_the_internets(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_no_private_address_of_version_four_is_public() -> None:
    networks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"]

    edges = [ipaddress.ip_network(one)[at] for one in networks for at in (0, -1)]
    assert [is_public(str(one)) for one in edges] == [False] * len(edges)
