"""The documents that adapters are tried with, and one nested call on each: what a model gives, what must be sent."""

import os
from pathlib import Path
from typing import Any

import msgspec

Json = dict[str, Any]


class Request(msgspec.Struct, frozen=True):
    """What the API must receive. ``form``: the pairs of a form; otherwise ``body`` is JSON, or text."""

    method: str
    path: str
    query: str = ""
    body: Any = None
    form: dict[str, str] | None = None


class Document(msgspec.Struct, frozen=True):
    """``file``: below the folder of real documents; the demo has none. ``wanted``: the request, or for the demo, which
    answers for itself, what must be in its answer, without quotes, spaces and backslashes. ``mode``: TOOL_MODE;
    ``schemas``: TOOL_SCHEMAS."""

    name: str
    file: str
    tool: str
    arguments: Json
    wanted: Request | str
    mode: str = "all"
    schemas: str = "full"

    @property
    def path(self) -> Path | None:
        folder = os.environ.get("OPENAPI_SPECS_DIR")
        path = Path(folder) / "specs" / self.file if folder and self.file else None
        return path if path and path.is_file() else None


ACCOUNT = "AC0123456789abcdef0123456789abcdef"
PET = {"name": "Rex", "species": "dog", "price": 12.5, "tags": ["good", "old"]}
REVIEW = {"body": "Nice.", "event": "COMMENT", "comments": [{"path": "a.py", "position": 3, "body": "Why?"}]}
AS_TEXT = msgspec.json.encode({"owner": "o", "repo": "r", "pull_number": 7, **REVIEW}).decode()
POD = {
    "metadata": {"name": "web", "labels": {"tier": "1"}},
    "spec": {"containers": [{"name": "web", "image": "nginx", "ports": [{"containerPort": 80}]}]},
}
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 16}
MESSAGE = {"content": "Hi", "embeds": [{"title": "Score", "fields": [{"name": "A", "value": "1", "inline": True}]}]}
FOLDER = {"name": "Plans", "parent": {"id": "0"}}
CHARGE = {"description": "Ours", "metadata": {"order": "6735"}, "shipping": {"name": "Jo", "address": {"city": "Bonn"}}}
PICTURE = "https://example.com/a.png"
SMS = {"To": "+15005550006", "From": "+15005550001", "Body": "Hi"}

DOCUMENTS = (
    Document("demo", "", "createPet", PET, "name:Rex,species:dog,status:available,price:12.5,tags:[good,old]"),
    Document(
        "github",
        "github-api.github.com.json",
        "pulls_create-review",
        {"owner": "o", "repo": "r", "pull_number": 7, **REVIEW},
        Request("POST", "/repos/o/r/pulls/7/reviews", body=REVIEW),
    ),
    Document(
        "github-search",
        "github-api.github.com.json",
        "call_operation",
        {"name": "pulls_create-review", "arguments": {"owner": "o", "repo": "r", "pull_number": 7, **REVIEW}},
        Request("POST", "/repos/o/r/pulls/7/reviews", body=REVIEW),
        mode="search",
    ),
    Document(
        "github-search-portable",
        "github-api.github.com.json",
        "call_operation",
        {"name": "pulls_create-review", "arguments": AS_TEXT},
        Request("POST", "/repos/o/r/pulls/7/reviews", body=REVIEW),
        mode="search",
        schemas="portable",
    ),
    Document(
        "stripe",
        "stripe-spec3-2023-09.yaml",
        "PostChargesCharge",
        {"charge": "ch_1", **CHARGE},
        Request(
            "POST",
            "/v1/charges/ch_1",
            form={
                "description": "Ours",
                "metadata[order]": "6735",
                "shipping[name]": "Jo",
                "shipping[address][city]": "Bonn",
            },
        ),
    ),
    Document(
        "kubernetes",
        "kubernetes-1.12-swagger2.json",
        "createNamespacedPod",
        {"namespace": "default", **POD},
        Request("POST", "/api/v1/namespaces/default/pods", body=POD),
    ),
    Document("openai", "openai.yaml", "createChatCompletion", CHAT, Request("POST", "/chat/completions", body=CHAT)),
    Document(
        "discord",
        "discord-api-spec__specs__openapi.json",
        "create_message",
        {"channel_id": "613425648685547541", "body": MESSAGE},
        Request("POST", "/channels/613425648685547541/messages", body=MESSAGE),
    ),
    Document("box", "box-openapi__openapi.json", "post_folders", FOLDER, Request("POST", "/folders", body=FOLDER)),
    Document(
        "twilio",
        "twilio-api-v2010.yaml",
        "CreateMessage",
        {"AccountSid": ACCOUNT, **SMS, "MediaUrl": [PICTURE]},
        Request(
            "POST",
            f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
            form=SMS | {"MediaUrl": PICTURE},
        ),
    ),
)


def as_text(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same with numbers and booleans as text, as some models write them."""
    match value:
        case dict():
            return {name: as_text(each) for name, each in value.items()}
        case list():
            return [as_text(each) for each in value]
        case bool() | int() | float():
            return msgspec.json.encode(value).decode()
        case _:
            return value


def as_numbers(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same with digits as numbers; some clients cannot send them as text."""
    match value:
        case dict():
            return {name: as_numbers(each) for name, each in value.items()}
        case list():
            return [as_numbers(each) for each in value]
        case str() if value.isdecimal():
            return int(value)
        case _:
            return value
