"""Digest access authentication: the examples of RFC 7616 section 3.9, and the way of a challenge on a real socket."""

from __future__ import annotations

import hashlib
import re

import pytest

from logins import Answering, Caller, answering, header
from loopback import client, clocked, sized
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.digest import best, response

MUFASA = Auth(kind="digest", username="Mufasa", password="Circle of Life")
OK = sized(b"{}", b"Content-Type: application/json\r\n")
REALM, NONCE = "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def asked(path: str, host: str = "www.example.org", method: str = "GET", body: bytes | None = None) -> HttpRequest:
    return HttpRequest(method=method, origin=Origin("http", host, 80), path=path, query="", headers=(), body=body)


def challenges(*algorithms: str, qop: str = "auth, auth-int", more: str = "") -> list[str]:
    fields = f'realm="{REALM}", qop="{qop}", nonce="{NONCE}", opaque="{OPAQUE}"{more}'
    return [f"Digest {fields}, algorithm={algorithm}" for algorithm in algorithms]


def fields(text: str) -> dict[str, str]:
    return {name: quoted or plain for name, quoted, plain in re.findall(r'([\w*]+)=(?:"([^"]*)"|([^\s,]+))', text)}


@pytest.mark.parametrize(
    ("algorithm", "proof"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_the_rfc(algorithm: str, proof: str) -> None:
    challenge = best(challenges(algorithm))
    assert challenge is not None
    text = response(MUFASA, challenge, asked("/dir/index.html"), 1, CNONCE)
    assert text.startswith("Digest ")
    assert fields(text) == {
        "username": "Mufasa", "realm": REALM, "uri": "/dir/index.html", "algorithm": algorithm, "nonce": NONCE,
        "nc": "00000001", "cnonce": CNONCE, "qop": "auth", "response": proof, "opaque": OPAQUE,
    }  # fmt: skip


def test_the_example_with_a_hashed_user_name_in_utf_8() -> None:
    """As RFC 7616 section 3.9.2 has it but for its hashes, which are those of SHA-512 cut short (erratum 4897)."""
    jason = Auth(kind="digest", username="Jäsøn Doe", password="Secret, or not?")
    nonce = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK"
    asks = f'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="{nonce}", opaque="x"'
    challenge = best([f"{asks}, charset=UTF-8, userhash=true"])
    assert challenge is not None
    found = fields(response(jason, challenge, asked("/doe.json", "api.example.org"), 1, "c"))

    def h(text: str) -> str:
        return hashlib.new("sha512_256", text.encode()).hexdigest()

    proof = h(f"{h('Jäsøn Doe:api@example.org:Secret, or not?')}:{nonce}:00000001:c:auth:{h('GET:/doe.json')}")
    assert (found["username"], found["userhash"], found["response"]) == (h("Jäsøn Doe:api@example.org"), "true", proof)


def test_rfc_2617s_example_without_qop_is_answered_as_rfc_2069_had_it() -> None:
    challenge = best(['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'])
    assert challenge is not None
    found = fields(response(MUFASA, challenge, asked("/dir/index.html"), 1, "c"))
    ha1 = hashlib.md5(b"Mufasa:testrealm@host.com:Circle of Life").hexdigest()
    ha2 = hashlib.md5(b"GET:/dir/index.html").hexdigest()
    expected = hashlib.md5(f"{ha1}:dcd98b7102dd2f0e8b11d0f600bfb0c093:{ha2}".encode()).hexdigest()
    assert found["response"] == expected
    assert not {"qop", "nc", "cnonce"} & found.keys()


def test_auth_int_covers_the_body_where_that_is_all_there_is() -> None:
    challenge = best(challenges("SHA-256", qop="auth-int"))
    assert challenge is not None
    texts = {response(MUFASA, challenge, asked("/x", method="POST", body=body), 1, "c") for body in (b"a", b"b", b"a")}
    assert len(texts) == 2


@pytest.mark.parametrize(
    ("values", "algorithm"),
    [
        (challenges("MD5", "SHA-256"), "SHA-256"),
        (challenges("SHA-256", "SHA-512-256", "MD5"), "SHA-256"),
        ([", ".join(["Basic realm=x", *challenges("MD5")])], "MD5"),
        ([", ".join(challenges("MD5", "SHA-256"))], "SHA-256"),
        (challenges("MD5-sess"), "MD5"),
        (challenges("SHA-1"), None),
        (challenges("MD5", qop="other"), None),
        (['Digest realm="no nonce"'], None),
        (["Bearer"], None),
        (["Digest " + 'a="' * 100_000], None),
        ([], None),
    ],
)
def test_the_best_challenge_that_can_be_met_is_chosen(values: list[str], algorithm: str | None) -> None:
    found = best(values)
    assert (found and found.algorithm) == algorithm


class Server:
    """Wants SHA-256 with the nonce that it gave last, which is good for so many requests."""

    def __init__(self, good_for: int = 100) -> None:
        self.nonces = 0
        self.left = 0
        self.good_for = good_for

    def __call__(self, request: bytes) -> bytes:
        found = fields(header(request, "authorization") or "")
        if self.left and found.get("nonce") == f"n{self.nonces}" and found["response"] == self.expected(request, found):
            self.left -= 1
            return OK
        self.nonces, self.left = self.nonces + 1, self.good_for
        stale = ", stale=true" if found else ""
        value = f'Digest realm="r", qop="auth", algorithm=SHA-256, nonce="n{self.nonces}"{stale}'
        return sized(b"", f"WWW-Authenticate: {value}\r\n".encode(), b"401 Unauthorized")

    @staticmethod
    def expected(request: bytes, found: dict[str, str]) -> str:
        def h(text: str) -> str:
            return hashlib.sha256(text.encode()).hexdigest()

        method, target, _ = request.decode("latin-1").split(" ", 2)
        assert found["uri"] == target
        middle = f"{found['nonce']}:{found['nc']}:{found['cnonce']}:auth"
        return h(f"{h('Mufasa:r:Circle of Life')}:{middle}:{h(f'{method}:{target}')}")


def counts(server: Answering) -> list[str]:
    return [fields(header(request, "authorization") or "").get("nc", "") for request in server.asked]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_challenge_is_met_once_and_its_nonce_used_again(method: str) -> None:
    @clocked
    async def run() -> None:
        async with answering(Server()) as api, client() as upstream:
            one = Caller(MUFASA, api.origin, upstream)
            assert [(await one.call(method, query="a=1%2F2")).status for _ in range(3)] == [200] * 3
            assert counts(api) == ["", "00000001", "00000002", "00000003"]

    run()


@clocked
async def test_a_stale_nonce_is_replaced() -> None:
    async with answering(Server(good_for=2)) as api, client() as upstream:
        one = Caller(MUFASA, api.origin, upstream)
        assert [(await one.call()).status for _ in range(4)] == [200] * 4
        assert counts(api) == ["", "00000001", "00000002", "00000003", "00000001", "00000002"]


@clocked
async def test_a_wrong_password_ends_with_the_apis_401_after_one_more_attempt() -> None:
    async with answering(Server()) as api, client() as upstream:
        one = Caller(Auth(kind="digest", username="Mufasa", password="x"), api.origin, upstream)
        assert (await one.call()).status == 401
        assert len(api.asked) == 2
