from __future__ import annotations

import base64
import re

import pytest

from edge.camera.http.authentication import Authenticator, Challenge, parse_challenges
from edge.camera.stream_address import Login

#: The example of RFC 7616, section 3.9.1.
MUFASA = Login(b"Mufasa", b"Circle of Life")
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OWN = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
TARGET = "/dir/index.html"


def digest_challenge(algorithm: str) -> str:
    return (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},'
        f' nonce="{NONCE}", opaque="{OPAQUE}"'
    )


def fields(header: bytes | None) -> dict[str, str]:
    assert header is not None
    (challenge,) = parse_challenges(header.decode())
    return challenge.parameters


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_is_that_of_the_standard(algorithm: str, response: str) -> None:
    authenticator = Authenticator(MUFASA, lambda: OWN)
    authenticator.learn([digest_challenge(algorithm)])
    found = fields(authenticator.header("GET", TARGET))
    assert found["response"] == response
    assert found["username"] == "Mufasa"
    assert found["nc"] == "00000001"
    assert found["opaque"] == OPAQUE
    assert found["algorithm"] == algorithm


def test_digest_without_quality_of_protection_is_that_of_rfc_2069() -> None:
    authenticator = Authenticator(Login(b"Mufasa", b"CircleOfLife"))
    authenticator.learn(
        ['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"']
    )
    found = fields(authenticator.header("GET", TARGET))
    # The value is that of erratum 749 of RFC 2069.
    assert found["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert "qop" not in found


def test_requests_are_counted_and_a_new_challenge_begins_again() -> None:
    authenticator = Authenticator(MUFASA)
    authenticator.learn([digest_challenge("MD5")])
    headers = [fields(authenticator.header("GET", TARGET)) for _ in range(3)]
    assert [found["nc"] for found in headers] == ["00000001", "00000002", "00000003"]
    assert len({found["cnonce"] for found in headers}) == 3
    authenticator.learn([digest_challenge("MD5").replace(NONCE, "new")])
    found = fields(authenticator.header("GET", TARGET))
    assert (found["nonce"], found["nc"]) == ("new", "00000001")


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        (['Basic realm="cam"', digest_challenge("MD5")], b"Digest"),
        ([digest_challenge("MD5") + ', Basic realm="cam"'], b"Digest"),
        ([digest_challenge("MD5"), digest_challenge("SHA-256")], b"SHA-256"),
        ([digest_challenge("md5-sess")], b"md5-sess"),
        ([digest_challenge("WHIRLPOOL"), 'basic realm="cam"'], b"Basic"),
        (["Digest realm=cam, nonce=abc"], b'nonce="abc"'),
        (['Digest realm="a"'], b"Basic"),
        (["Negotiate", "Bearer x"], b"Basic"),
        ([], b"Basic"),
    ],
)
def test_best_supported_challenge_is_chosen(headers: list[str], chosen: bytes) -> None:
    authenticator = Authenticator(MUFASA)
    assert authenticator.header("GET", TARGET) is None
    authenticator.learn(headers)
    header = authenticator.header("GET", TARGET)
    assert header is not None
    assert chosen in header


def test_basic_contains_the_bytes_of_user_and_password() -> None:
    authenticator = Authenticator(Login("jürgen".encode(), b"p:\xe9"))
    authenticator.learn(['Basic realm="cam"'])
    expected = base64.b64encode("jürgen:p:".encode() + b"\xe9")
    assert authenticator.header("GET", "/") == b"Basic " + expected


def test_quotes_are_escaped() -> None:
    authenticator = Authenticator(Login(b'a"b\\', b"x"))
    authenticator.learn([r'Digest realm="c\"d\\", nonce="n"'])
    header = authenticator.header("GET", "/") or b""
    assert fields(header)["username"] == 'a"b\\'
    assert fields(header)["realm"] == 'c"d\\'
    assert re.search(rb'realm="c\\"d\\\\"', header)


def test_realm_may_contain_what_looks_like_another_challenge() -> None:
    text = 'Digest realm="a, Basic b=c", nonce="n"'
    assert parse_challenges(text) == [Challenge("digest", {"realm": "a, Basic b=c", "nonce": "n"})]
