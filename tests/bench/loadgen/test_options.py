"""Bad input is one line that names the option and the cure; thresholds are read and judged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from loadgen import expect, options
from loadgen.__main__ import _written, main
from loadgen.latencies import Latency
from loadgen.plan import UsageError
from loadgen.result import Integrity
from reported import RESULT

URL = "http://127.0.0.1:8000/mcp"
REFUSED = {
    "": "the following arguments are required",
    "ftp://example.com/": "URL: 'ftp://example.com/' must begin with http:// or https://",
    "http:///mcp": "URL: 'http:///mcp': must begin with http:// or https:// and name a host",
    "127.0.0.1:8000/mcp": "URL: '127.0.0.1:8000/mcp' must begin with http:// or https://",
    f"{URL} --header Host:example.com": "--header: Host is set by loadgen itself",
    f"{URL} --header mcp-session-id:1": "--header: mcp-session-id is set by loadgen itself",
    f"{URL} more": "URL: one is enough; 'more' is too much",
    f"{URL} --transport stdio": "--transport: stdio needs a command instead of a URL",
    "--transport sse -- server": "--transport: sse needs a URL",
    f"{URL} --transport tcp": "--transport: invalid choice: 'tcp'",
    f"{URL} --protocol 2024": "--protocol: invalid choice: '2024'",
    f"{URL} --clients 0": "--clients: '0' must be a whole number from 1 to",
    f"{URL} --clients x": "--clients: 'x' must be a whole number from 1 to",
    f"{URL} --seconds nan": "--seconds: 'nan' must be a number from 0.1 to 86400",
    f"{URL} --seconds 0": "--seconds: '0' must be a number from 0.1 to 86400",
    f"{URL} --rate -1": "--rate: '-1' must be a number from",
    f"{URL} --rate 5 --think 1": "--think: has no meaning with --rate",
    f"{URL} --ramp 20": "--ramp: 20 s is longer than --seconds 10",
    f"{URL} --processes 4 --clients 2": "--processes: 4 is more than --clients 2",
    f"{URL} --tool =3": "--tool: '=3' must be NAME or NAME=WEIGHT",
    f"{URL} --tool a=0": "--tool: 'a=0' must be NAME or NAME=WEIGHT",
    f"{URL} --calls-from gone.jsonl": "--calls-from: gone.jsonl: No such file or directory",
    f"{URL} --calls-from empty.jsonl": "--calls-from: empty.jsonl has no line with a call",
    f"{URL} --calls-from bad.jsonl": "--calls-from: bad.jsonl, line 2: Input data was truncated",
    f"{URL} --calls-from odd.jsonl": "--calls-from: odd.jsonl, line 1: Object contains unknown field `args`",
    f"{URL} --calls-from heavy.jsonl": "--calls-from: heavy.jsonl: the weights add up to 1,009,899; at most 1,000,000",
    f"{URL} --calls-from good.jsonl --tool a": "--tool: the calls come from --calls-from already",
    f"{URL} --expect fast": "--expect: 'fast' is no threshold; write it as p99<200ms",
    f"{URL} --expect p99<200": "--expect: 'p99<200': p99 needs a unit",
    f"{URL} --expect errors<1s": "--expect: 'errors<1s': errors is no time",
    f"{URL} --expect calls/s>5%": "--expect: 'calls/s>5%': calls/s is no part of all calls",
    f"{URL} --expect speed<1": "--expect: 'speed' is not measured; there are p50",
    f"{URL} --metrics metrics": "--metrics: 'metrics': must begin with http://",
    f"{URL} --json gone/a.json": "--json: gone/a.json: No such file or directory",
    f"{URL} --json a --html ./a": "--html: ./a is the file of --json as well; give another one",
    f"{URL} --calls-from good.jsonl --json good.jsonl": "--json: good.jsonl is the file of --calls-from as well",
    f"{URL} --header Accept-Encoding:gzip": "--header: Accept-Encoding is set by loadgen itself",
    f"{URL} --html -": "--html: needs the name of a file",
    f"{URL} --header X-A": "--header: write it as 'Name: value'",
    f"{URL} --verbose": "unrecognized arguments: --verbose",
    "python -m server": "unrecognized arguments: -m server; the words of a command come after --",
    f"{URL} --sec 5": "unrecognized arguments: --sec",
    "compare a.json": "compare: needs two files",
    "compare gone.json bad.jsonl": "gone.json: No such file or directory",
    "compare bad.jsonl bad.jsonl": "bad.jsonl: no result of loadgen --json",
    "compare deep.json deep.json": "deep.json: no result of loadgen --json",
    f"{URL} --calls-from deep.json": "--calls-from: deep.json, line 1: maximum recursion depth exceeded",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("empty.jsonl").write_text("\n")
    Path("bad.jsonl").write_text('{"tool":"a"}\n{"tool":\n')
    Path("deep.json").write_text('{"tool":"a","arguments":{"x":' + "[" * 100_000)
    Path("heavy.jsonl").write_text('{"tool":"a","weight":9999}\n' * 101)
    Path("odd.jsonl").write_text('{"tool":"a","args":{}}\n')
    Path("good.jsonl").write_text('{"tool":"a","arguments":{"n":"{nonce:int}"},"weight":2}\n{"tool":"b"}\n')
    return tmp_path


@pytest.mark.parametrize("typed", REFUSED)
def test_what_cannot_be_used_is_one_line(typed: str, capsys: pytest.CaptureFixture[str]):
    assert main(typed.split()) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(f"loadgen: {REFUSED[typed]}")
    assert error.count("\n") == 1


def test_a_header_that_cannot_be_sent_is_refused_without_its_value(capsys: pytest.CaptureFixture[str]):
    assert main([URL, "--header", "Authorization: s3cret\r\nX: y"]) == 2
    assert "s3cret" not in capsys.readouterr().err


def test_an_address_with_a_password_is_refused_without_it(capsys: pytest.CaptureFixture[str]):
    assert main(["http://me:s3cret@127.0.0.1/mcp"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("loadgen: URL: 'http://…@127.0.0.1/mcp': must carry no user and password")


def test_calls_from_a_file_are_its_lines():
    given = options.parse([URL, "--calls-from", "good.jsonl"])
    assert [(each.tool, bytes(each.arguments), each.weight, each.is_checked) for each in given.wanted.templates] == [
        ("a", b'{"n":"{nonce:int}"}', 2, True),
        ("b", b"{}", 1, False),
    ]


@pytest.mark.parametrize(
    ("typed", "transport", "clients", "at_once", "seconds"),
    [
        (URL, "http", 8, 1, 10.0),
        ("http://127.0.0.1/sse", "sse", 8, 1, 10.0),
        (f"{URL} --rate 10 --seconds 3", "http", 64, 1, 3.0),
        (f"{URL} --calls 5", "http", 8, 1, 86_400.0),
        ("-- python server.py --port 1", "stdio", 1, 8, 10.0),
        ("--clients 3 -- server", "stdio", 3, 1, 10.0),
    ],
)
def test_what_nobody_says_is_what_suits_the_transport(
    typed: str, transport: str, clients: int, at_once: int, seconds: float
):
    given = options.parse(typed.split())
    load = given.load
    assert (given.target.transport, load.clients, load.at_once, load.seconds) == (transport, clients, at_once, seconds)


@pytest.mark.parametrize(
    ("text", "actual", "is_met"),
    [
        ("p50<2ms", 1.0, True),
        ("p99 < 200ms", 100.0, True),
        ("p99<0.1s", 100.0, False),
        ("p99<=100.1ms", 100.0, True),
        ("p99.9>1s", 2000.0, True),
        ("p75<1000us", 1.0, False),
        ("max<2001ms", 2000.0, True),
        ("errors<1%", 1.0, False),
        ("errors=10", 10.0, True),
        ("calls/s>=100", 100.0, True),
        ("lost=0", 3.0, False),
        ("mixed-up=0", 0.0, True),
        ("doubled=0", 0.0, True),
        ("checked>=900", 900.0, True),
        ("calls=1000", 1000.0, True),
    ],
)
def test_a_threshold_is_judged_by_the_result(text: str, actual: float, is_met: bool):
    verdict = expect.parse(text).judge(RESULT)
    assert (verdict.actual, verdict.is_met) == (pytest.approx(actual, rel=0.002), is_met)


@pytest.mark.parametrize(("text", "shown"), [("p99<0.2s", "100.031 ms"), ("errors<1%", "1 %"), ("errors=0", "10")])
def test_what_it_was_is_shown_with_its_unit(text: str, shown: str):
    assert expect.parse(text).judge(RESULT).shown == shown


def test_a_time_is_not_met_where_no_call_was_measured():
    nothing = msgspec.structs.replace(RESULT, latency=Latency(), histogram="")
    for text in ("p99<1s", "max<1s"):
        verdict = expect.parse(text).judge(nothing)
        assert (verdict.is_met, verdict.shown) == (False, "not measured")
    assert expect.parse("lost<=3").judge(nothing).is_met


def test_faults_fail_a_run_without_any_threshold():
    sound = msgspec.structs.replace(RESULT, verdicts=(), integrity=Integrity())
    assert sound.is_good
    for fault in ("lost", "mixed_up", "doubled", "unnumbered"):
        assert not msgspec.structs.replace(sound, integrity=Integrity(**{fault: 1})).is_good
    assert msgspec.structs.replace(sound, integrity=Integrity(late=1)).is_good
    assert not msgspec.structs.replace(sound, error_count=1000).is_good


def test_a_file_that_cannot_be_written_any_more_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert not _written("--json", str(tmp_path), b"{}")
    assert capsys.readouterr().err == f"loadgen: --json: {tmp_path}: Is a directory\n"


@pytest.mark.parametrize("text", ["", "p", "p100<1s", "p99", "p99<", "<5", "p99<-1ms", "p99<1ms<2ms"])
def test_what_is_no_threshold_is_refused(text: str):
    with pytest.raises(UsageError, match=r"^--expect: "):
        expect.parse(text)
