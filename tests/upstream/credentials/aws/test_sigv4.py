"""AWS Signature Version 4: AWS's published examples, and botocore's own signer as judge."""

from __future__ import annotations

import hashlib
import string
import time
from datetime import UTC, datetime
from email.utils import formatdate
from threading import get_ident
from typing import Any
from urllib.parse import quote

import pytest
import trio
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from logins import Caller, answering, header
from loopback import client, clocked, sized
from openapi_mcp_server.aside import LARGE
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import CredentialError
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.aws.sigv4 import Keys, Scope, signed
from openapi_mcp_server.upstream.credentials.login import made_of_body

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEYS = Keys(access_key="AKIDEXAMPLE", secret_key=SECRET)
WHEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-west-1"}
OK = sized(b"{}", b"Content-Type: application/json\r\n")


def request(
    method: str = "GET",
    path: str = "/",
    query: str = "",
    *headers: tuple[str, str],
    body: bytes | None = None,
    host: str = "example.amazonaws.com",
) -> HttpRequest:
    origin = Origin("https", host, 443)
    return HttpRequest(method=method, origin=origin, path=path, query=query, headers=headers, body=body)


def signature(sent: HttpRequest) -> str:
    return dict(sent.headers)["Authorization"].rpartition("Signature=")[2]


FORM = ("Content-Type", "application/x-www-form-urlencoded")
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(request(), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", id="get-vanilla"),
        pytest.param(
            request(query="Param2=value2&Param1=value1"),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            id="get-vanilla-query-order-key-case",
        ),
        pytest.param(
            request("POST"), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", id="post-vanilla"
        ),
        pytest.param(
            request("POST", "/", "", FORM, body=b"Param1=value1"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            id="post-x-www-form-urlencoded",
        ),
        pytest.param(
            request(path=f"/-._~{LETTERS}"),
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            id="get-unreserved",
        ),
        pytest.param(
            request("GET", "/", "", ("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            id="get-header-value-trim",
        ),
    ],
)
def test_the_published_test_suite_is_passed(sent: HttpRequest, expected: str) -> None:
    done = signed(sent, KEYS, Scope(region="us-east-1", service="service"), WHEN)
    assert signature(done) == expected


def test_the_example_of_the_documentation() -> None:
    sent = request(
        "GET", "/", "Action=ListUsers&Version=2010-05-08", (FORM[0], f"{FORM[1]}; charset=utf-8"),
        host="iam.amazonaws.com",
    )  # fmt: skip
    done = signed(sent, KEYS, Scope(region="us-east-1", service="iam"), WHEN)
    assert dict(done.headers)["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SEGMENTS = st.lists(TEXTS.map(lambda text: quote(text, safe="-._~")), max_size=5).filter(
    lambda segments: not {".", ".."} & {*segments}
)
QUERIES = st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=5).map(
    lambda pairs: "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in pairs)
)
HEADERS = st.dictionaries(
    st.from_regex(r"X-[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True).filter(lambda name: not name.startswith("X-Amz")),
    st.text(string.ascii_letters + string.digits + " ,;=\"'", max_size=12),
    max_size=4,
).filter(lambda found: len({name.lower() for name in found}) == len(found))


REQUESTS = st.builds(
    HttpRequest,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]),
    origin=st.sampled_from(["abc.execute-api.eu-west-1.amazonaws.com", "x.lambda-url.us-east-1.on.aws"]).map(
        lambda host: Origin("https", host, 443)
    ),
    path=SEGMENTS.map(lambda segments: "/" + "/".join(segments)),
    query=QUERIES,
    headers=HEADERS.map(lambda headers: (*headers.items(),)),
    body=st.none() | st.binary(max_size=64),
)


@settings(max_examples=1000)
@given(
    sent=REQUESTS,
    service=st.sampled_from(["execute-api", "lambda", "es", "s3"]),
    session=st.sampled_from(["", "session/token+=="]),
)
def test_botocore_signs_alike(sent: HttpRequest, service: str, session: str) -> None:
    keys = Keys(access_key="AKIDEXAMPLE", secret_key=SECRET, session_token=session)
    now = time.time()
    ours = signed(sent, keys, Scope(region="eu-west-1", service=service), now)

    judge = (S3SigV4Auth if service == "s3" else SigV4Auth)(
        Credentials("AKIDEXAMPLE", SECRET, session or None), service, "eu-west-1"
    )
    url = f"{sent.origin}{sent.target}"
    theirs = AWSRequest(method=sent.method, url=url, headers=dict(sent.headers), data=sent.body or b"")
    theirs.context["timestamp"] = dict(ours.headers)["X-Amz-Date"]
    if service == "s3":
        theirs.headers["X-Amz-Content-SHA256"] = judge.payload(theirs)
    judge._modify_request_before_signing(theirs)
    theirs.headers.replace_header("X-Amz-Date", theirs.context["timestamp"])
    canonical = judge.canonical_request(theirs)
    assert signature(ours) == judge.signature(judge.string_to_sign(theirs, canonical), theirs)


@pytest.mark.parametrize(
    ("query", "spelt"),
    [
        ("a=b,c", "a=b%2Cc"),
        ("a=b%2cc", "a=b%2Cc"),
        ("a=%7E&b=+", "a=~&b=%2B"),
        ("a", "a="),
        ("a=&b", "a=&b="),
        ("a=1=2", "a=1%3D2"),
    ],
)
def test_what_is_sent_in_another_spelling_is_signed_as_aws_spells_it(query: str, spelt: str) -> None:
    scope = Scope(region="us-east-1", service="service")
    made = [signature(signed(request(query=each), KEYS, scope, WHEN)) for each in (query, spelt)]
    assert made[0] == made[1]


# A signed call


async def called(handler: Any, environ: dict[str, str] = ENVIRON, **fields: Any) -> tuple[list[bytes], int]:
    async with answering(handler) as api, client() as upstream:
        one = Caller(Auth(kind="aws_sigv4", **fields), api.origin, upstream, environ)
        answer = await one.call("POST", b'{"a":1}', query="b=1", headers=(("Content-Type", "application/json"),))
        return api.asked, answer.status


@clocked
async def test_a_call_is_signed_for_the_region_and_service_that_are_set() -> None:
    asked, _ = await called(lambda _: OK, aws_service="es", aws_region="us-west-2")
    assert "/us-west-2/es/aws4_request" in (header(asked[0], "authorization") or "")
    asked, _ = await called(lambda _: OK)
    assert "/eu-west-1/execute-api/aws4_request" in (header(asked[0], "authorization") or "")


@clocked
async def test_without_a_region_the_call_says_what_to_set() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await called(lambda _: OK, {name: value for name, value in ENVIRON.items() if name != "AWS_REGION"})
    assert caught.group_contains(CredentialError, match="AUTH_AWS_REGION")


@pytest.mark.parametrize("minutes", [-5, 5, 20])
def test_a_clock_that_is_wrong_is_set_by_awss_and_the_call_sent_again(minutes: int) -> None:
    now = time.time() + minutes * 60

    def handler(sent: bytes) -> bytes:
        stamp = datetime.strptime(header(sent, "x-amz-date") or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(stamp.timestamp() - now) < 60:
            return OK
        return sized(b'{"message":"Signature expired"}', f"Date: {formatdate(now)}\r\n".encode(), b"403 Forbidden")

    @clocked
    async def run() -> None:
        asked, status = await called(handler)
        assert (len(asked), status) == (2, 200)

    run()


@clocked
async def test_a_refusal_by_a_clock_that_agrees_is_not_tried_again() -> None:
    refused = sized(b"{}", f"Date: {formatdate(time.time())}\r\n".encode(), b"403 Forbidden")
    asked, status = await called(lambda _: refused)
    assert (len(asked), status) == (1, 403)


@pytest.mark.parametrize(("size", "is_aside"), [(0, False), (LARGE, False), (LARGE + 1, True)])
def test_a_large_body_is_hashed_in_a_thread(size: int, is_aside: bool) -> None:
    sent = request(body=bytes(size))
    made = trio.run(made_of_body, sent, lambda: (get_ident(), signed(sent, KEYS, Scope(region="r", service="s3"), 0)))
    assert (made[0] != get_ident()) is is_aside
    assert dict(made[1].headers)["X-Amz-Content-SHA256"] == hashlib.sha256(bytes(size)).hexdigest()


def test_a_large_call_is_signed_as_a_small_one_is() -> None:
    async def run() -> tuple[list[bytes], int]:
        async with answering(lambda _: OK) as api, client() as upstream:
            one = Caller(Auth(kind="aws_sigv4", aws_service="s3"), api.origin, upstream, ENVIRON)
            answer = await one.call("POST", bytes(4 * LARGE))
            return api.asked, answer.status

    asked, status = trio.run(run)
    assert status == 200
    assert header(asked[0], "x-amz-content-sha256") == hashlib.sha256(bytes(4 * LARGE)).hexdigest()
