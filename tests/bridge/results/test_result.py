"""Answers of an API, and the lack of one, as a model gets them."""

from __future__ import annotations

import time

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from answers import PNG, answer, texts, tool
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.media import content
from openapi_mcp_server.bridge.model import OutputContract, Tool
from openapi_mcp_server.bridge.results.response_filter import selection
from openapi_mcp_server.bridge.results.result import MISMATCH, OutputValidators, render
from openapi_mcp_server.mcp.messages import (
    AudioContent,
    BlobResource,
    EmbeddedResource,
    ImageContent,
    TextContent,
    ToolResult,
)

PET = b'{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}'


def blob(result: ToolResult) -> BlobResource:
    (block,) = result.content
    assert isinstance(block, EmbeddedResource)
    assert isinstance(block.resource, BlobResource)
    return block.resource


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param(
            b'{ "price": 1.10,\n "n": 12345678901234567890123 }', '{"price":1.10,"n":12345678901234567890123}'
        ),
        pytest.param(b"[-0, 1e400, 0.1e-7]", "[-0,1e400,0.1e-7]", id="numbers as spelt"),
        pytest.param('"\\u00e9 é \\/"'.encode(), '"\\u00e9 é \\/"', id="strings as spelt"),
        pytest.param(b"null", "null", id="a bare value"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', '{"a":1}', id="a byte order mark is dropped"),
    ],
)
def test_json_is_compact_and_otherwise_as_the_api_spelt_it(sent: bytes, shown: str) -> None:
    assert render(tool(), answer(sent, "application/json")) == ToolResult(content=(TextContent(shown),))


@pytest.mark.parametrize(
    "content_type",
    ["application/problem+json", "application/ld+json; profile=x", "Application/JSON", "text/json", "image/x+json"],
)
def test_every_json_type_is_json(content_type: str) -> None:
    assert texts(render(tool(), answer(b"[1, 2]", content_type))) == ["[1,2]"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_json_means_the_same_after_compacting(value: object) -> None:
    body = msgspec.json.format(msgspec.json.encode(value), indent=3)
    (shown,) = texts(render(tool(), answer(body, "application/json")))
    assert msgspec.json.decode(shown) == value


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param(rb'["cut \ud83d"]', r'["cut \ufffd"]', id="first half"),
        pytest.param(rb'["\udc00\udc00"]', r'["\ufffd\ufffd"]', id="second halves"),
        pytest.param(rb'["\ud83d\ud83d\ude00"]', r'["\ufffd\ud83d\ude00"]', id="half before a whole pair"),
        pytest.param(rb'["\ud83d", "\\ud83d"]', r'["\ufffd","\\ud83d"]', id="an escaped backslash is none"),
    ],
)
def test_half_a_surrogate_pair_costs_one_character_and_is_said(sent: bytes, shown: str) -> None:
    first, note = texts(render(tool(), answer(sent, "application/json")))
    assert first == shown
    assert "cut in two by the API" in note


NOT_JSON = [
    pytest.param(b"OK", id="a word"),
    pytest.param(b"3f2b8c1e-0000-4000-8000-000000000001", id="an identifier"),
    pytest.param(b'{"a": 1', id="truncated"),
    pytest.param(b"<html>oops</html>", id="a page"),
    pytest.param(b"NaN", id="NaN"),
    pytest.param(b'{"id":1}\n{"id":2}', id="two values"),
    pytest.param(b')]}\',\n{"id":1}', id="a prefix against hijacking"),
    pytest.param(b"{'id': 1}", id="single quotes"),
    pytest.param(b'{"id":1,}', id="a trailing comma"),
    pytest.param(b"callback({})", id="JSONP"),
    pytest.param(b"OK" * 5_000, id="long"),
]


@pytest.mark.parametrize("status", [200, 201, 202, 299])
@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.x+json; charset=utf-8", "text/json"])
@pytest.mark.parametrize("body", NOT_JSON)
def test_a_success_that_is_not_the_json_it_claims_is_a_success_with_its_text(
    body: bytes, content_type: str, status: int
) -> None:
    contract = OutputContract(schema=msgspec.Raw(PET), wrapped=False)
    result = render(tool("POST", contract), answer(body, content_type, status=status), OutputValidators())
    first, about = texts(result)
    assert (result.isError, first) == (False, body.decode())
    assert "but it is not JSON" in about
    assert msgspec.json.decode(result.structuredContent) == {"undocumented": body.decode(), "_note": about}
    assert result.meta == {MISMATCH: "the answer is not JSON"}


@pytest.mark.parametrize(
    ("text", "charset", "content_type"),
    [
        ("grüß", "utf-8-sig", "application/json"),
        ("grüß", "utf-16", "application/json"),
        ("grüß", "utf-16-le", "application/json"),
        ("grüß", "utf-16-be", "application/json"),
        ("grüß", "utf-32", "application/json"),
        ("grüß", "utf-32-le", "application/json"),
        ("grüß", "iso-8859-1", "application/json; charset=ISO-8859-1"),
        ("grüß", "windows-1252", 'application/vnd.x+json; charset="windows-1252"'),
        ("日本", "shift_jis", "application/json; charset=shift_jis"),
        ("日本", "utf-16", "application/json; charset=utf-16"),
    ],
)
@pytest.mark.parametrize("form", ['{"n":"TEXT"}', "TEXT"])
def test_json_is_read_in_the_charset_that_it_has(text: str, charset: str, content_type: str, form: str) -> None:
    meant = form.replace("TEXT", text)
    if form == "TEXT" and charset in {"utf-16-le", "utf-16-be", "utf-32-le"}:
        meant = f"OK {meant}"  # told by the zeros of its first characters
    result = render(tool(), answer(meant.encode(charset), content_type))
    assert (result.isError, texts(result)[0]) == (False, meant)


def test_json_in_a_charset_that_it_does_not_say_is_read_as_the_usual_one_and_says_so() -> None:
    first, note = texts(render(tool(), answer('{"n":"grüß"}'.encode("latin-1"), "application/json")))
    assert first == '{"n":"grüß"}'
    assert "windows-1252, which is a guess" in note


@pytest.mark.parametrize(
    "body", [b" ", b" \n\t\r ", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n", "\ufeff ".encode("utf-16-le")]
)
def test_json_of_nothing_but_white_space_is_no_content(body: bytes) -> None:
    result = render(tool("POST"), answer(body, "application/json", status=201))
    assert not result.isError
    assert texts(result) == ["The API answered 201 Created: success, without content."]


@pytest.mark.parametrize("body", [b"\x00\x01\x02", PNG, b"\x81\x8d\x8f"])
def test_octets_that_claim_to_be_json_are_a_resource_and_a_success(body: bytes) -> None:
    result = render(tool(), answer(body, "application/json"))
    block, note = result.content
    assert isinstance(block, EmbeddedResource)
    assert isinstance(block.resource, BlobResource)
    assert (result.isError, block.resource.mimeType) == (False, "application/octet-stream")
    assert block.resource.blob == body
    assert isinstance(note, TextContent)
    assert "it is not JSON" in note.text


@pytest.mark.parametrize("count", [50, 99, 101, 200, 400])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ("[[", "]]"), ('{"n":', "}"), ('[{"n":', "}]")])
def test_what_does_not_fit_is_told_however_deep_the_answer_is(count: int, opens: str, closes: str) -> None:
    body = f'{{"id":"x","n":{opens * count}1{closes * count}}}'
    contract = OutputContract(schema=msgspec.Raw(PET), wrapped=False)
    result = render(tool(output=contract), answer(body.encode(), "application/json"), OutputValidators())
    assert (result.isError, texts(result)[0]) == (False, body)
    assert result.meta is not msgspec.UNSET
    assert result.meta[MISMATCH].startswith("#/id: ")


@given(st.binary(), st.sampled_from(["application/json", "a/b+json", "application/json; charset=utf-16"]))
def test_no_octets_of_a_success_are_an_error(body: bytes, content_type: str) -> None:
    assert not render(tool("POST"), answer(body, content_type, status=201)).isError


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"n":', "}")])
@pytest.mark.parametrize("expression", [None, "a", "@"])
def test_an_answer_is_told_however_deep_and_long_it_is(opens: str, closes: str, expression: str | None) -> None:
    """It is read again to be cut, by more functions. At some depths only this reading gives up."""
    select = None if expression is None else selection(expression)
    for depth in range(800, 1_000, 3):
        body = f'{{"a":{opens * depth}1{closes * depth},"b":"{"x" * 9_000}"}}'
        result = render(tool(), answer(body.encode(), "application/json"), select=select, budget_bytes=5_000)
        assert (result.isError, len(texts(result)[0]) < 6_000) == (False, True), depth


def test_json_nested_beyond_checking_is_shown_as_it_came() -> None:
    body = b"[" * 100_000 + b"]" * 100_000
    first, note = texts(render(tool(), answer(body, "application/json")))
    assert first == body.decode()
    assert "nested too deeply" in note


@pytest.mark.parametrize(
    ("body", "content_type", "shown"),
    [
        pytest.param("naïve;1".encode(), "text/csv", "naïve;1", id="UTF-8 unless said otherwise"),
        pytest.param("naïve".encode("latin-1"), "text/plain; charset=ISO-8859-1", "naïve", id="declared"),
        pytest.param("naïve".encode("utf-16"), 'text/plain; a=b; charset="UTF-16"', "naïve", id="declared, quoted"),
        pytest.param("日本".encode("shift_jis"), "text/html;charset=Shift_JIS", "日本", id="Shift_JIS"),
        pytest.param("é".encode("latin-1"), "text/xml; charset=latin1", "é", id="latin1"),
        pytest.param(
            "<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>".encode("latin-1"),
            "application/xml",
            "<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>",
            id="declared by the XML itself",
        ),
        pytest.param(
            '<?xml version="1.0" encoding="utf-16"?><a>é</a>'.encode(),
            "application/xml",
            '<?xml version="1.0" encoding="utf-16"?><a>é</a>',
            id="XML that was UTF-16 in its program's memory",
        ),
        pytest.param("abcé".encode(), "text/plain; charset=utf-16", "abcé", id="UTF-8 that calls itself UTF-16"),
        pytest.param("é".encode(), "text/plain; charset=us-ascii", "é", id="UTF-8 that calls itself ASCII"),
        pytest.param("é".encode(), "text/plain; charset=utf8mb4", "é", id="UTF-8 under an unknown name"),
        pytest.param(b"abc", "text/plain; charset=punycode", "abc", id="a charset that could stop the server"),
        pytest.param(b"abc", "text/plain; charset=zlib", "abc", id="not a charset"),
        pytest.param(b"abc", "text/plain; charset=iso-8859-12", "abc", id="a charset that never was"),
        pytest.param(b"\x93\x80\x94", "text/plain; charset=iso-8859-1", "“€”", id="Latin-1 as it is used"),
        pytest.param(b"\x81\xe9", "text/plain; charset=iso-8859-1", "\x81é", id="Latin-1 that nothing else can be"),
        pytest.param(
            b"<html><META charset='iso-8859-1'>\xe9", "text/html", "<html><META charset='iso-8859-1'>é", id="page"
        ),
        pytest.param(
            b'<meta http-equiv=Content-Type content="text/html; charset=windows-1251">\xc6',
            "application/xhtml+xml",
            '<meta http-equiv=Content-Type content="text/html; charset=windows-1251">Ж',
            id="a page as they were written",
        ),
        pytest.param(
            '<meta charset="utf-16">é'.encode(), "text/html", '<meta charset="utf-16">é', id="page that is not UTF-16"
        ),
        pytest.param(b"<svg/>", "image/svg+xml", "<svg/>", id="SVG is text"),
        pytest.param(b'{"a":1}\n{"a":2}\n', "application/x-ndjson", '{"a":1}\n{"a":2}\n', id="NDJSON as it is"),
        pytest.param(b"data: 1\n\n", "text/event-stream", "data: 1\n\n", id="events as they are"),
        pytest.param(b"<b>x</b>", "text/html", "<b>x</b>", id="a page that was asked for"),
    ],
)
def test_text_is_read_in_its_charset(body: bytes, content_type: str, shown: str) -> None:
    assert render(tool(), answer(body, content_type)) == ToolResult(content=(TextContent(shown),))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"na\xefve", "text/plain", id="not UTF-8, no charset"),
        pytest.param(b"na\xefve", "text/plain; charset=us-ascii", id="not what it declares"),
        pytest.param(PNG, "text/html; charset=latin-1", id="binary behind a text type"),
        pytest.param(b"%PDF-1.7\x00", "application/pdf", id="PDF"),
        pytest.param(b"[1]", "application/octet-stream", id="octet-stream is never looked into"),
        pytest.param(b"PK\x03\x04", "application/zip", id="ZIP"),
        pytest.param(b"--b\r\n\r\n\xff\r\n--b--\r\n", "multipart/mixed; boundary=b", id="parts, with their boundary"),
        pytest.param(b"--b\r\n\r\n{}\r\n--b--\r\n", "multipart/related; boundary=b; type=a/b", id="parts of text"),
    ],
)
def test_what_is_no_text_is_a_resource_with_its_type_and_exact_bytes(body: bytes, content_type: str) -> None:
    resource = blob(render(tool(), answer(body, content_type)))
    assert resource.mimeType == content_type
    assert resource.uri == "openapi://pet%20shop/getPet"
    assert resource.blob == body


@pytest.mark.parametrize(
    ("content_type", "block"),
    [("image/png", ImageContent), ("image/jpeg; q=1", ImageContent), ("audio/mpeg", AudioContent)],
)
def test_images_and_audio_are_media(content_type: str, block: type[ImageContent | AudioContent]) -> None:
    expected = block(PNG, content_type.partition(";")[0])
    assert render(tool(), answer(PNG, content_type)).content == (expected,)


NO_TYPES = (None, "", ";;", "json", "text", "; charset=utf-8", "a b/c")
"""And what stands in the header where no media type does."""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'{ "a": 1 }', TextContent('{"a":1}'), id="JSON"),
        pytest.param("héllo".encode(), TextContent("héllo"), id="text"),
    ],
)
@pytest.mark.parametrize("content_type", NO_TYPES)
def test_a_body_without_a_type_is_what_it_looks_like(
    body: bytes, expected: TextContent, content_type: str | None
) -> None:
    assert render(tool(), answer(body, content_type)).content == (expected,)


@pytest.mark.parametrize("content_type", NO_TYPES)
def test_a_body_without_a_type_that_is_no_text_is_octets(content_type: str | None) -> None:
    assert blob(render(tool(), answer(PNG, content_type))).mimeType == "application/octet-stream"


@given(st.binary(min_size=1), st.sampled_from(["text/plain", "text/plain; charset=utf-16", "x/y", "image/gif", None]))
@example(b"\r0", None)
def test_bytes_survive_whatever_their_type(body: bytes, content_type: str | None) -> None:
    (block,) = render(tool(), answer(body, content_type)).content
    if isinstance(block, EmbeddedResource):
        assert isinstance(block.resource, BlobResource)
        assert block.resource.blob == body
    elif isinstance(block, ImageContent):
        assert block.data == body
    else:
        assert isinstance(block, TextContent)
        assert block.text in {body.decode(charset, errors="replace") for charset in ("utf-8-sig", "utf-16")} or (
            content_type is None
            and msgspec.json.decode(block.text) == msgspec.json.decode(body)  # JSON, without spaces
        )


@pytest.mark.parametrize("status", [200, 204, 205])
def test_no_content_is_success_said_in_words(status: int) -> None:
    result = render(tool("DELETE"), answer(b"", status=status))
    assert not result.isError
    assert texts(result)[0].startswith(f"The API answered {status} ")


def test_an_answer_to_head_is_its_headers() -> None:
    (text,) = texts(render(tool("HEAD"), answer(b"", "image/png", ("content-length", "512"))))
    assert "Content-Type: image/png\nContent-Length: 512" in text


@pytest.mark.parametrize(
    ("headers", "lines"),
    [
        pytest.param(
            [("link", '</a?page=2>; rel="next", <https://x/a?page=9>;rel=last;title="a, b"')],
            ["Link next: /a?page=2", "Link last: https://x/a?page=9"],
            id="links by relation",
        ),
        pytest.param([("link", "</a>")], ["Link without rel: /a"], id="a link without relation"),
        pytest.param([("link", "nonsense; <")], [], id="no link at all"),
        pytest.param([("location", "/pets/7")], ["Location: /pets/7"], id="Location"),
        pytest.param([("etag", 'W/"1"')], ['ETag: W/"1"'], id="ETag"),
        pytest.param([("retry-after", "30")], ["Retry-After: 30"], id="Retry-After"),
        pytest.param([("operation-location", "/o/1")], ["Operation-Location: /o/1"], id="a long operation"),
        pytest.param([("x-ratelimit-remaining", "5")], ["x-ratelimit-remaining: 5"], id="rate limit"),
        pytest.param([("set-cookie", "a=1"), ("server", "x")], [], id="nothing else"),
    ],
)
def test_headers_a_model_needs_stand_in_a_text_of_their_own(headers: list[tuple[str, str]], lines: list[str]) -> None:
    first, *rest = texts(render(tool(), answer(b"[]", "application/json", *headers)))
    assert first == "[]"
    assert rest == (["\n".join(lines)] if lines else [])


@pytest.mark.parametrize("status", [200, 204, 404, 500])
def test_headers_that_the_document_describes_are_shown_but_for_cookies(status: int) -> None:
    described = {"x-next-cursor": "X-Next-Cursor", "x-total-count": "X-Total-Count", "x-not-sent": "X-Not-Sent"}
    of = msgspec.structs.replace(tool(), headers=described)
    headers = (("x-next-cursor", "c2"), ("x-total-count", "77"), ("x-other", "1"))
    said = texts(render(of, answer(b"" if status == 204 else b"{}", "application/json", *headers, status=status)))[-1]
    assert said.split("\n")[-2:] == ["X-Next-Cursor: c2", "X-Total-Count: 77"]


def test_a_status_that_says_more_than_200_is_shown() -> None:
    assert texts(render(tool("POST"), answer(b"{}", "application/json", status=202))) == ["{}", "Status: 202 Accepted"]


def test_a_cut_stream_says_so_and_loses_half_a_character() -> None:
    cut = answer("data: é".encode()[:-1], "text/event-stream", cut="after 10 MiB")
    assert texts(render(tool(), cut)) == ["data: ", "Note: the answer was cut after 10 MiB."]


@pytest.mark.parametrize(
    ("body", "wrapped", "structured"),
    [
        pytest.param(b'{ "id": 7.0 }', False, b'{"id":7.0}', id="an object as it is"),
        pytest.param(b"[1]", True, b'{"result":[1]}', id="anything else wrapped"),
        pytest.param(b'{"id": 1}', True, b'{"result":{"id":1}}', id="wrapped because the schema says so"),
    ],
)
def test_a_tool_with_an_output_schema_answers_with_structure(body: bytes, wrapped: bool, structured: bytes) -> None:
    output = OutputContract(schema=msgspec.Raw(b'{"type":"object"}'), wrapped=wrapped)
    result = render(tool(output=output), answer(body, "application/json"), OutputValidators())
    assert bytes(result.structuredContent) == structured
    assert result.meta is msgspec.UNSET


@pytest.mark.parametrize(
    ("schema", "body", "reason"),
    [
        pytest.param(PET, b'{"id":"secret"}', '#/id: the value is not of type "integer"', id="wrong type"),
        pytest.param(PET, b"[]", "#: the answer is not an object", id="no object"),
        pytest.param(b'{"$ref":"http://127.0.0.1/x"}', b"{}", "it cannot be checked: ", id="nothing is fetched"),
    ],
)
def test_an_answer_that_does_not_fit_keeps_its_text_and_is_told_as_undocumented(
    schema: bytes, body: bytes, reason: str
) -> None:
    output = OutputContract(schema=msgspec.Raw(schema), wrapped=False)
    result = render(tool(output=output), answer(body, "application/json"), OutputValidators())
    assert not result.isError
    assert texts(result) == [body.decode()]
    assert bytes(result.structuredContent) == b'{"undocumented":%b}' % body
    assert result.meta[MISMATCH].startswith(reason)


def test_null_in_place_of_an_object_is_no_mismatch() -> None:
    output = OutputContract(schema=msgspec.Raw(PET), wrapped=False)
    result = render(tool(output=output), answer(b" null", "application/json"), OutputValidators())
    assert (texts(result), bytes(result.structuredContent)) == (["null"], b'{"undocumented":null}')
    assert result.meta is msgspec.UNSET


@pytest.mark.parametrize("number", ["1e400", "-1.5e999", "9" * 5_000])
def test_a_number_that_clients_cannot_read_is_in_the_structure_as_text(number: str) -> None:
    body = f'{{"id":{number}}}'.encode()
    output = OutputContract(schema=msgspec.Raw(PET), wrapped=False)
    result = render(tool(output=output), answer(body, "application/json"), OutputValidators())
    assert (result.isError, texts(result)) == (False, [body.decode()])
    assert msgspec.json.decode(result.structuredContent) == {"undocumented": body.decode()}
    assert result.meta[MISMATCH].startswith("it cannot be checked: ")


@pytest.mark.parametrize(
    ("response", "structured"),
    [
        pytest.param(answer(b'say "hi"', "text/plain"), b'{"undocumented":"say \\"hi\\""}', id="text"),
        pytest.param(answer(b"\x89PNG", "image/png"), b'{"undocumented":null}', id="a picture"),
        pytest.param(answer(b"", "", status=204), b'{"undocumented":null}', id="nothing"),
    ],
)
def test_an_answer_that_is_not_json_is_told_as_undocumented(response: HttpResponse, structured: bytes) -> None:
    result = render(tool(output=OutputContract(schema=msgspec.Raw(PET), wrapped=True)), response, OutputValidators())
    found = msgspec.json.decode(result.structuredContent)
    found.pop("_note", None)
    assert found == msgspec.json.decode(structured)
    assert result.meta[MISMATCH] == "the answer is not JSON"


@pytest.mark.parametrize("start", [b"", b" \r\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/html; charset=utf-8",
        "text/javascript",
        "text/csv",
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-json",
        "application/xml",
    ],
)
def test_json_under_another_name_is_json_where_it_was_asked_for(content_type: str, start: bytes) -> None:
    """Whether or not the tool says in a schema what it answers (OUTPUT_SCHEMAS)."""
    output = OutputContract(schema=msgspec.Raw(PET), wrapped=False)
    response = answer(start + b'{ "id": 1 }', content_type)
    result = render(asking(output), response, OutputValidators())
    assert (texts(result), bytes(result.structuredContent)) == (['{"id":1}'], b'{"id":1}')
    assert texts(render(asking(), response)) == ['{"id":1}']


def test_a_long_log_which_begins_as_a_list_is_soon_known_for_none() -> None:
    log = b"[10:00:00] INFO \\x and \\u0041\n" * 300_000
    began = time.process_time()
    assert texts(render(asking(), answer(log, "text/plain"))) == [log.decode()]
    assert time.process_time() - began < 0.15  # 0.3 s where halves of characters were looked for


def asking(output: OutputContract | None = None) -> Tool:
    return msgspec.structs.replace(tool(output=output), accept="application/json, text/csv;q=0.9, */*;q=0.1")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"{id: 1}", "text/html"), (b"[1", "text/plain"), (b"{}", "image/png"), (b'{"id":1}', "application/x-ndjson")],
)
def test_what_is_named_otherwise_and_no_json_stays_what_it_is_named(body: bytes, content_type: str) -> None:
    output = OutputContract(schema=msgspec.Raw(PET), wrapped=False)
    result = render(asking(output), answer(body, content_type), OutputValidators())
    assert result.content == render(tool(), answer(body, content_type)).content
    assert result.meta[MISMATCH] == "the answer is not JSON"


@pytest.mark.parametrize(
    ("schema", "is_told"),
    [
        ({"type": "object"}, True),
        ({"type": "object", "properties": {"id": {}}, "additionalProperties": False}, False),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, False),
        ({"type": "object", "maxProperties": 1}, False),
    ],
)
def test_what_is_said_beside_an_answer_is_in_its_structure_where_the_schema_takes_it(
    schema: object, is_told: bool
) -> None:
    output = OutputContract(schema=msgspec.Raw(msgspec.json.encode(schema)), wrapped=False)
    response = answer(b'{"id":5}', "application/json", ("link", '</pets?page=2>; rel="next"'))
    result = render(tool(output=output), response, OutputValidators())
    told = {"_note": "Link next: /pets?page=2"} if is_told else {}
    assert msgspec.json.decode(result.structuredContent) == {"id": 5, **told}
    assert result.meta is msgspec.UNSET


def test_an_answer_that_has_such_a_member_itself_keeps_it() -> None:
    output = OutputContract(schema=msgspec.Raw(b'{"type":"object"}'), wrapped=False)
    response = answer(b'{"_note":1}', "application/json", ("link", '</pets?page=2>; rel="next"'))
    assert bytes(render(tool(output=output), response).structuredContent) == b'{"_note":1}'


def test_an_empty_answer_says_nothing_of_its_length_and_type() -> None:
    empty = answer(b"", "application/json", ("content-length", "0"), ("location", "/jobs/7"), status=202)
    said = "The API answered 202 Accepted: perhaps not done yet, without content.\nLocation: /jobs/7"
    assert texts(render(tool("POST"), empty)) == [said]


def test_without_validators_answers_are_not_checked() -> None:
    output = OutputContract(schema=msgspec.Raw(PET), wrapped=False)
    result = render(tool(output=output), answer(b'{"id":"x"}', "application/json"))
    assert bytes(result.structuredContent) == b'{"id":"x"}'


def test_a_resource_has_a_name_without_holes() -> None:
    assert content.resource_uri("a/../b ?", "x") == "openapi://a%2F..%2Fb%20%3F/x"
