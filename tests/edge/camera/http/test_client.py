from __future__ import annotations

import base64
import gzip
import hashlib
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from edge.camera.http.authentication import parse_challenges
from edge.camera.http.client import HttpClient, HttpResponse
from edge.camera.http.errors import HttpError
from edge.camera.http.tls import CameraTls
from edge.camera.source import SourceError
from edge.camera.stream_address import parse_stream_address
from tests.support.camera.hostile_server import HostileServer
from tests.support.camera.scripted_camera import Request, ScriptedCamera, answer, chunked, sized
from tests.support.mqtt.certificates import Authority

USER, PASSWORD = "jürgen@door", "p@ss:w/rd#1? %é"
LOGIN = f"{USER}:{PASSWORD}"
TIMEOUT_S = 20.0


class Clock:
    """A clock that stands still, and is then set beyond every deadline."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def client(url: str) -> HttpClient:
    return HttpClient(parse_stream_address(url), Clock())


def read_all(response: HttpResponse) -> bytes:
    return b"".join(iter(lambda: response.read_some(TIMEOUT_S), b""))


def get(url: str) -> bytes:
    one = client(url)
    try:
        return read_all(one.get(TIMEOUT_S))
    finally:
        one.close()


def require_basic(request: Request) -> Iterable[bytes]:
    expected = base64.b64encode(LOGIN.encode()).decode()
    if request.headers.get("authorization") == f"Basic {expected}":
        return [sized(b"welcome")]
    return [sized(b"no", status="401 X", more='WWW-Authenticate: Basic realm="cam"\r\n')]


class DigestServer:
    """Requires Digest authentication; each nonce is valid for `uses` requests."""

    def __init__(self, uses: int) -> None:
        self._uses = uses
        self._nonce = self._left = 0

    def __call__(self, request: Request) -> Iterable[bytes]:
        challenges = parse_challenges(request.headers.get("authorization", ""))
        if challenges and self._is_right(request, challenges[0].parameters):
            self._left -= 1
            return [sized(b"welcome")]
        self._nonce, self._left = self._nonce + 1, self._uses
        challenge = f'Digest realm="cam", qop="auth", algorithm=SHA-256, nonce="{self._nonce}"'
        return [sized(b"no", status="401 X", more=f"WWW-Authenticate: {challenge}\r\n")]

    def _is_right(self, request: Request, fields: dict[str, str]) -> bool:
        def digest(text: str) -> str:
            return hashlib.sha256(text.encode()).hexdigest()

        name = fields["username"].encode("latin-1").decode()
        parts = [fields[key] for key in ("nonce", "nc", "cnonce", "qop")]
        secret = digest(f"{name}:cam:{PASSWORD}")
        expected = digest(":".join([secret, *parts, digest(f"GET:{request.target}")]))
        fresh = fields["nonce"] == str(self._nonce) and self._left > 0
        return fresh and name == USER and fields["response"] == expected


@pytest.mark.parametrize("script", [require_basic, DigestServer(1)])
def test_login_need_not_be_encoded(script: object) -> None:
    with ScriptedCamera(script) as camera:  # type: ignore[arg-type]
        assert get(camera.url(login=LOGIN)) == b"welcome"


def test_login_is_sent_with_each_request_until_the_challenge_expires() -> None:
    with ScriptedCamera(DigestServer(uses=3), keep_alive=True) as camera:
        one = client(camera.url(login=LOGIN))
        for _ in range(7):
            assert read_all(one.get(TIMEOUT_S)) == b"welcome"
        one.close()
        assert len(camera.requests) == 7 + 3


@pytest.mark.parametrize(
    ("login", "message"),
    [
        ("", "it asks for a user name and a password; write them into the address: http://user:"),
        ("me:geheim", "it refuses the user name or the password$"),
        ("me:geheim%20", "refuses the user name or the password; .* write % itself as %25"),
    ],
)
@pytest.mark.parametrize("script", [require_basic, DigestServer(1)])
def test_refused_login_is_an_error(script: object, login: str, message: str) -> None:
    with ScriptedCamera(script) as camera:  # type: ignore[arg-type]
        with pytest.raises(HttpError, match=message) as caught:
            get(camera.url(login=login))
        assert len(camera.requests) == 1 + bool(login)
    assert "geheim" not in str(caught.value)


def redirect(location: str, status: int = 302) -> list[bytes]:
    return [sized(b"", status=f"{status} X", more=f"Location: {location}\r\n")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/new", "new", "//127.0.0.1:{port}/new", "?new"])
def test_redirect_is_followed_with_the_login(location: str, status: int) -> None:
    def script(request: Request) -> Iterable[bytes]:
        if "new" in request.target:
            return require_basic(request)
        return redirect(location.format(port=camera.port), status)

    with ScriptedCamera(script) as camera:
        assert get(camera.url(login=LOGIN)) == b"welcome"


def test_login_is_not_sent_to_another_host() -> None:
    with (
        ScriptedCamera(require_basic) as other,
        ScriptedCamera(lambda request: redirect(other.url(host="localhost"))) as camera,
    ):
        with pytest.raises(HttpError, match="asks for a user name"):
            get(camera.url(login=LOGIN))
        assert len(other.requests) == 1
        assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/video", "redirects more than 5 times"),
        ("", "redirects to an address that is not one of HTTP"),
        ("file:///etc/passwd", "redirects to an address that is not one of HTTP"),
        ("rtsp://me:geheim@cam/", "redirects to an address that is not one of HTTP"),
        ("http://me:geheim@:1/", "redirects to an address that is not valid"),
        ("http://[geheim/", "redirects to an address that is not valid"),
    ],
)
def test_redirect_to_nowhere_is_an_error(location: str, message: str) -> None:
    with (
        ScriptedCamera(lambda request: redirect(location)) as camera,
        pytest.raises(HttpError, match=message) as caught,
    ):
        get(camera.url())
    assert "geheim" not in str(caught.value)


def test_connection_that_the_camera_closed_is_replaced() -> None:
    with ScriptedCamera(lambda request: [sized(b"picture")]) as camera:
        one = client(camera.url())
        for _ in range(3):
            assert read_all(one.get(TIMEOUT_S)) == b"picture"
        one.close()
        assert [request.connection for request in camera.requests] == [1, 2, 3]


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: y", answer(b"x", more="X: y\r\n")],
    ids=["nothing", "status", "header", "body"],
)
def test_camera_that_sends_one_byte_now_and_then_is_given_up(start: bytes) -> None:
    clock, late = Clock(), threading.Event()

    def script(request: Request) -> Iterator[bytes]:
        yield start
        clock.now_s = TIMEOUT_S + 1.0
        yield b"y"
        late.wait()

    with ScriptedCamera(script) as camera:
        one = HttpClient(parse_stream_address(camera.url()), clock)
        with pytest.raises(HttpError, match="it does not answer in time"):
            read_all(one.get(TIMEOUT_S))
        one.close()
        late.set()


def test_silent_camera_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://me:geheim@127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(HttpError, match="it does not answer in time"):
            client(url).get(0.2)


BOMB = gzip.compress(bytes(200 << 20))
ENDLESS = {
    "gzip": answer(BOMB, more="Content-Encoding: gzip\r\n"),
    "chunk of negative size": answer(
        b"-1\r\n" + b"x" * (4 << 20), more="Transfer-Encoding: chunked\r\n"
    ),
    "chunk of great size": answer(
        b"fffffffffffff\r\n" + b"x" * (4 << 20), more="Transfer-Encoding: chunked\r\n"
    ),
    "chunk of impossible size": answer(
        b"f" * 40 + b"\r\n" + b"x" * (4 << 20), more="Transfer-Encoding: chunked\r\n"
    ),
    "line of a chunk": answer(b"1" * (4 << 20), more="Transfer-Encoding: chunked\r\n"),
    "trailers": answer(
        chunked(b"x")[:-2] + b"X: y\r\n" * 100_000, more="Transfer-Encoding: chunked\r\n"
    ),
}


@pytest.mark.parametrize("content", ENDLESS.values(), ids=ENDLESS)
def test_hostile_body_does_not_fill_the_memory(content: bytes) -> None:
    with ScriptedCamera(lambda request: [content]) as camera:
        one = client(camera.url())
        response = one.get(TIMEOUT_S)
        tracemalloc.start()
        try:
            while response.read_some(TIMEOUT_S):
                pass
        except HttpError:
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        one.close()
    assert peak < 2 << 20


def https_camera(
    folder: Path, names: str = "IP:127.0.0.1", days: int = 30
) -> tuple[Path, ScriptedCamera]:
    authority = Authority(folder)
    pair = authority.issue("camera", names, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return authority.pair.cert, ScriptedCamera(require_basic, keep_alive=True, tls=context)


def test_certificate_of_a_trusted_authority_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, camera = https_camera(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with camera:
        assert get(camera.url(login=LOGIN)) == b"welcome"


@pytest.mark.parametrize(
    ("names", "days", "trusted", "message"),
    [
        ("IP:127.0.0.1", 30, False, "not signed by an authority .*: set `camera.ca_file`"),
        ("IP:127.0.0.1", -1, True, "its certificate has expired"),
        ("DNS:cam", 30, True, r"its certificate is not for '127\.0\.0\.1'"),
    ],
)
def test_certificate_that_is_not_accepted_is_an_error_of_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: str,
    days: int,
    trusted: bool,
    message: str,
) -> None:
    authority, camera = https_camera(tmp_path, names, days)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority if trusted else tmp_path / "none"))
    with camera:
        with pytest.raises(HttpError, match=message) as caught:
            get(camera.url(login=LOGIN))
        assert camera.requests == []
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("names", "days"), [("IP:127.0.0.1", 30), ("DNS:cam", 30), ("", -1)])
@pytest.mark.parametrize("form", ["PEM", "DER", "several"])
def test_certificate_of_the_camera_itself_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str, days: int, form: str
) -> None:
    authority, camera = https_camera(tmp_path, names, days)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    pem = (authority.parent / "camera.crt").read_text()
    content = {
        "PEM": pem.encode(),
        "DER": ssl.PEM_cert_to_DER_cert(pem),
        "several": (Authority(tmp_path, "other").pair.cert.read_text() + pem).encode(),
    }[form]
    (tmp_path / "camera.crt").write_bytes(content)
    with camera:
        address = parse_stream_address(camera.url(login=LOGIN))
        one = HttpClient(address, Clock(), tmp_path / "camera.crt")
        assert one.get(TIMEOUT_S).read_some(TIMEOUT_S) == b"welcome"
        one.close()


@pytest.mark.parametrize(
    ("trusted", "names", "message"),
    [
        ("other", "IP:127.0.0.1", "not signed by an authority"),
        ("authority", "DNS:cam", "its certificate is not for"),
        ("authority", "IP:127.0.0.1", ""),
    ],
)
def test_other_certificates_in_the_file_are_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, names: str, message: str
) -> None:
    authority, camera = https_camera(tmp_path, names)
    other = Authority(tmp_path, "other").pair.cert
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with camera:
        file = other if trusted == "other" else authority
        one = HttpClient(parse_stream_address(camera.url(login=LOGIN)), Clock(), file)
        if message:
            with pytest.raises(HttpError, match=message):
                one.get(TIMEOUT_S)
            assert camera.requests == []
        else:
            assert one.get(TIMEOUT_S).read_some(TIMEOUT_S) == b"welcome"
        one.close()


@pytest.mark.parametrize(("file", "connections"), [("camera.crt", 2), ("ca.crt", 3)])
def test_camera_is_asked_once_for_a_certificate_of_its_own(
    tmp_path: Path, file: str, connections: int
) -> None:
    authority, camera = https_camera(tmp_path)
    files = {"camera.crt": authority.parent / "camera.crt", "ca.crt": authority}
    tls = CameraTls(files[file])
    opened: list[socket.socket] = []
    with camera:
        port = parse_stream_address(camera.url()).port

        def connect() -> socket.socket:
            opened.append(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
            return opened[-1]

        for _ in range(2):
            tls.connect(connect, "127.0.0.1").close()
    assert len(opened) == connections


@pytest.mark.parametrize("content", [None, b"", b"text", b"0\x82", b"-----BEGIN CERTIFICATE-----"])
def test_file_without_a_certificate_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "camera.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SourceError, match=r"`camera\.ca_file` .*camera\.pem"):
        HttpClient(parse_stream_address("https://127.0.0.1:1/"), Clock(), file).get(TIMEOUT_S)


def test_https_to_a_camera_without_encryption_is_an_error() -> None:
    with HostileServer() as camera:
        camera.answer = answer(b"x")
        with pytest.raises(HttpError, match="no encrypted connection"):
            get(camera.url.replace("http:", "https:"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1/", "it refuses the connection"),
        ("http://no-such-host.invalid/", "the name of its host is unknown"),
    ],
)
def test_unreachable_camera_is_an_error(url: str, message: str) -> None:
    with pytest.raises(HttpError, match=message):
        get(url)
