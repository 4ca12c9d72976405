"""What an API may pack its answers in: gzip, deflate with and without its frame, one over the other, and no bombs."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openapi_mcp_server.errors import BadResponse
from openapi_mcp_server.upstream.reader import BETWEEN_BYTES, inflater

TEXT = b'{"name":"Rex"}' * 20
MIB = 1024 * 1024


def bare(data: bytes) -> bytes:
    made = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return made.compress(data) + made.flush()


PACK = {"gzip": partial(gzip.compress, mtime=0), "x-gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}


def packed(data: bytes, *codings: str) -> bytes:
    for coding in codings:
        data = PACK[coding](data)
    return data


def unpacked(data: bytes, codings: str, step: int = 1 << 30) -> bytes:
    made = inflater(codings)
    if made is None:
        return data
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    whole = b"".join(part for piece in pieces for part in made.unpacked(piece))
    made.finish()
    return whole


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("data", "codings"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (TEXT, "utf-8"),
        (TEXT, "Identity , ,"),
        (packed(TEXT, "gzip"), "gzip"),
        (packed(TEXT, "gzip"), "GZip"),
        (packed(TEXT, "gzip"), " identity, x-gzip ,"),
        (packed(TEXT, "deflate"), "deflate"),
        (bare(TEXT), "deflate"),
        (bare(b""), "deflate"),
        (packed(TEXT, "gzip"), "deflate"),  # some name the one and send the other
        (packed(TEXT, "deflate"), "gzip"),
        (packed(TEXT, "gzip", "gzip"), "gzip, gzip"),
        (packed(TEXT, "gzip", "deflate"), "gzip, deflate"),
        (packed(TEXT, "deflate", "gzip"), "deflate, gzip"),
        (gzip.compress(bare(TEXT), mtime=0), "deflate, gzip"),
        (bare(gzip.compress(TEXT, mtime=0)), "gzip, identity, deflate"),
    ],
)
def test_codings_are_undone_in_the_order_in_which_they_were_applied(data: bytes, codings: str, step: int) -> None:
    assert unpacked(data, codings, step) == (b"" if data == bare(b"") else TEXT)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.lists(st.sampled_from(["gzip", "deflate"]), max_size=2), st.integers(1, 40))
def test_any_bytes_come_back(data: bytes, codings: list[str], step: int) -> None:
    assert unpacked(packed(data, *codings), ", ".join(codings), step) == data
    assert unpacked(bare(data), "deflate", step) == data


@pytest.mark.parametrize(
    ("data", "codings", "problem"),
    [
        (b"?", "br", "content encoding 'br' of the answer was not asked for; only gzip and deflate are read"),
        (b"?", "gzip, zstd", "content encoding 'zstd' of the answer was not asked for"),
        (b"?", "dcb, gzip", "content encoding 'dcb' of the answer was not asked for"),
        (b"?", "compress", "content encoding 'compress' of the answer was not asked for"),
        (b"?", "s3cret-value", "^the content encoding of the answer was not asked for"),
        (packed(TEXT, *["gzip"] * 3), "gzip, gzip, gzip", "is packed 3 times, one over the other"),
        (packed(TEXT, "gzip", "gzip"), "gzip, deflate, gzip, deflate", "is packed 4 times"),
        (packed(TEXT, "gzip")[:-3], "gzip", "ends too early"),
        (bare(TEXT)[:-3], "deflate", "ends too early"),
        (packed(packed(TEXT, "gzip")[:-3], "gzip"), "gzip, gzip", "ends too early"),
        (packed(TEXT, "gzip", "gzip")[:-3], "gzip, gzip", "ends too early"),
        (packed(TEXT, "gzip"), "gzip, gzip", "is broken"),
        (b"plain", "gzip", "is broken"),
        (b"plain", "deflate", "is broken"),
        (bare(TEXT), "gzip", "is broken"),
        (bare(TEXT), "gzip, deflate", "is broken"),
    ],
)
def test_what_cannot_be_undone_is_an_error_that_says_why(data: bytes, codings: str, problem: str) -> None:
    with pytest.raises(BadResponse, match=problem) as caught:
        unpacked(data, codings)
    assert caught.value.outcome_unknown
    assert "\n" not in str(caught.value)


def test_nothing_is_hidden_between_two_codings() -> None:
    """Blocks of deflate may be empty, so that an endless second layer has no content that a limit could count."""
    head, empty_block = gzip.compress(b"")[:10], b"\0\0\0\xff\xff"
    bomb = gzip.compress(head + empty_block * (2 * BETWEEN_BYTES // len(empty_block)))
    made = inflater("gzip, gzip")
    assert made is not None
    tracemalloc.start()
    try:
        with pytest.raises(BadResponse, match="is packed twice, and more than"):
            assert not any(made.unpacked(bomb))
        assert tracemalloc.get_traced_memory()[1] < 2 * MIB
    finally:
        tracemalloc.stop()
