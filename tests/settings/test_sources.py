"""Values of settings: of variables, of files, of elements of a JSON array; and variables that are none of ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.apis import ApiConfig
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.settings.sources import misspelt
from openapi_mcp_server.settings.table import SETTINGS


def second(**fields: Any) -> ApiConfig:
    """What an element of ADDITIONAL_SPECS with these fields configures."""
    element = {"name": "b", "spec_path": "b.yaml", **fields}
    environ = {"ADDITIONAL_SPECS": msgspec.json.encode([element]).decode()}
    return load(["--spec-path", "a.yaml"], environ, lambda path: Path(path).read_text("utf-8")).apis[1]


@pytest.mark.parametrize("servers", [["https://u.b", "https://v.b"], "https://u.b, https://v.b"])
def test_a_list_may_be_a_list_or_text_as_in_the_environment(servers: Any) -> None:
    assert second(allowed_servers=servers).allowed_servers == ("https://u.b", "https://v.b")


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_is_null_or_empty_is_not_given(nothing: Any) -> None:
    api = second(base_url=nothing, auth_type=nothing, auth_token=nothing)
    assert (api.base_url, api.auth.kind) == (None, "none")


@pytest.mark.parametrize("name", sorted(setting.name for setting in SETTINGS if setting.secret))
def test_a_secret_in_bytes_that_are_no_utf_8_is_refused_without_a_word_of_it(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: is not UTF-8 text$"):
        load(["--spec-path", "a.yaml"], {name: os.fsdecode(b"s3cret-\xe9")}, lambda _: "")


def test_each_api_has_its_secrets_in_files_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    api = second(auth_type="bearer", auth_token_file=str(tmp_path / "token"))
    assert api.auth.token == "s3cret"


def test_no_secret_of_an_element_is_in_a_refusal() -> None:
    with pytest.raises(ConfigError) as caught:
        second(auth_type="bearer", auth_token=["s3cret"])
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("API_SPEC_ULR", "API_SPEC_URL"),
        ("API_SPECURL", "API_SPEC_URL"),
        ("AUTH_TOKN", "AUTH_TOKEN"),
        ("SERVER_PROT", "SERVER_PORT"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("AUTH_API_KEY_FIEL", "AUTH_API_KEY_FILE"),
        ("ADITIONAL_SPECS", "ADDITIONAL_SPECS"),
        ("API_URL", "API_BASE_URL"),
        ("SPEC_PATH", "API_SPEC_PATH"),
        ("OPENAPI_SPEC_URL", "API_SPEC_URL"),  # as other programs name it
        ("API_HEADERS", "EXTRA_HEADERS"),
    ],
)
def test_a_variable_that_looks_like_one_of_ours_is_told(name: str, meant: str) -> None:
    assert list(misspelt({name: "s3cret"})) == [f"{name} is set and means nothing here: did you mean {meant}?"]
    with pytest.raises(ConfigError, match=f"no document.*did you mean {meant}"):
        load([], {name: "x"}, lambda path: "")
    assert f"did you mean {meant}?" in load(["demo"], {name: "x"}, lambda path: "").warnings[-1]


@pytest.mark.parametrize(
    ("argv", "heard"),
    [
        (["serve", "--spec-path", "x", "--transport", "http"], 3),
        (["inspect", "--spec-path", "x"], 2),
        (["call", "getPet", "--spec-path", "x"], 2),
        (["doctor", "--document", "--spec-path", "x"], 2),
        (["diff", "x", "y"], 2),
        (["completion", "bash"], 0),
    ],
)
def test_a_command_is_told_what_means_nothing_to_it_and_not_what_is_about_listening(
    argv: list[str], heard: int
) -> None:
    environ = {"INCLUDE_TAG": "pets", "AUTH_TOKEN": "s3cret", "SERVER_HOST": "0.0.0.0", "INBOUND_AUTH": "none"}
    warnings = load(argv, environ, lambda path: "").warnings
    told = ["AUTH_TYPE is none: AUTH_TOKEN is not used", *misspelt(environ)]
    assert len(warnings) == heard
    assert [warning for warning in warnings if warning in told] == told[:heard]


OTHERS = """
PATH HOME LANG PORT DEBUG HOSTNAME PYTHONPATH HTTP_PROXY HTTPS_PROXY SERVER_SERVICE_HOST SERVER_PORT_80_TCP AWS_REGION
OTEL_LOG_LEVEL API_KEY API_SPEC_URL AUTH_TOKEN_FILE
"""


@pytest.mark.parametrize("name", OTHERS.split())
def test_a_variable_of_somebody_else_is_let_be(name: str) -> None:
    assert list(misspelt({name: "x"})) == []
