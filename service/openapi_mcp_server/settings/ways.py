"""How an API is reached: certificates for TLS, and a proxy on the way."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.command_line import Given
from openapi_mcp_server.settings.readers import words
from openapi_mcp_server.settings.sources import STORES, ReadFile, from_environment, read, text_of
from openapi_mcp_server.settings.table import SETTINGS

ENVIRONMENT = "environment"
_PROXY = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_NO_PROXY = ("NO_PROXY", "no_proxy")
"""The variables as curl and most programs read them."""
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_PORTS = {"http": 80, "https": 443}


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """``direct``: hosts, ``.suffixes`` and networks that are reached without it."""

    scheme: str
    host: str
    port: int
    username: str = ""
    password: str = ""
    direct: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Proxy({self.scheme}://{self.host}:{self.port})"


class WayOut(msgspec.Struct, frozen=True, kw_only=True):
    """Certificates and key are PEM; ``authorities`` are trusted beside the system's."""

    certificate: str = ""
    key: str = ""
    authorities: str = ""
    proxy: Proxy | None = None

    def __repr__(self) -> str:
        return f"WayOut(certificate={bool(self.certificate)}, proxy={self.proxy!r})"


USUAL = WayOut()
SHARED = ("HTTP_CA_BUNDLE", "HTTP_PROXY_URL", "HTTP_NO_PROXY")
"""Settings that hold for all APIs that have none of their own, and for what is no API's."""


def way_out(given: Mapping[str, Given], read_file: ReadFile, environ: Mapping[str, str]) -> WayOut:
    """The way to one API. Raises ConfigError under the name of the setting that was used."""
    certificate, key = given["AUTH_CLIENT_CERTIFICATE"], given["AUTH_CLIENT_KEY"]
    if key.value and not certificate.value:
        raise ConfigError(certificate.label, f"is missing; {key.label} is of use with it only")
    own = {"certificate": _secret_pem(certificate, read_file), "key": _secret_pem(key, read_file)}
    return msgspec.structs.replace(shared(given, read_file, environ), **own)


def shared(given: Mapping[str, Given], read_file: ReadFile, environ: Mapping[str, str]) -> WayOut:
    """The way to what is no API's: the issuers of clients' tokens, AWS's stores. Our certificate is not shown there."""
    return WayOut(
        authorities=_pem(given["HTTP_CA_BUNDLE"], read_file),
        proxy=_proxy(given["HTTP_PROXY_URL"], given["HTTP_NO_PROXY"], environ),
    )


def before_settings(environ: Mapping[str, str], read_file: ReadFile) -> WayOut:
    """The same by the environment alone, for what is fetched while the settings are read. A proxy whose own address is
    kept in a store of AWS's does not lead there."""

    def text(place: str) -> str:
        return "none" if place.startswith(STORES) else read_file(place)

    settings = (setting for setting in SETTINGS if setting.name in SHARED)
    given = {each.name: read(each, from_environment(each, environ, text), text) for each in settings}
    return shared(given, text, environ)


def _pem(given: Given, read_file: ReadFile) -> str:
    """The setting's own text, or that of the file it names."""
    if not given.value or given.value.lstrip().startswith("-----BEGIN"):
        return given.value or ""
    found = text_of(given.value, given.label, read_file)
    if "-----BEGIN" not in found:
        raise ConfigError(given.label, f"{given.value} holds no PEM (-----BEGIN …)")
    return found


def _secret_pem(given: Given, read_file: ReadFile) -> str:
    """The same, of a setting whose text is in no message: what names no file may be a secret in another format."""
    try:
        return _pem(given, read_file)
    except ConfigError:
        problem = "is neither PEM (-----BEGIN …) nor the name of a file that can be read and holds it"
        raise ConfigError(given.label, problem) from None


def _proxy(url: Given, direct: Given, environ: Mapping[str, str]) -> Proxy | None:
    text, hosts, label = (url.value or "none").strip(), direct.value, url.label
    for host in hosts:
        _require_network(host, direct.label)
    if text.lower() == ENVIRONMENT:
        name = next((name for name in _PROXY if environ.get(name)), "")
        text, label = environ.get(name, "none"), name or label
        hosts = (*hosts, *words(next((environ[name] for name in _NO_PROXY if environ.get(name)), "")))
    return None if text.lower() == "none" else _parsed(text, label, hosts)


def _require_network(host: str, label: str) -> None:
    if "/" in host:
        try:
            ipaddress.ip_network(host, strict=False)
        except ValueError:
            problem = f"{host[:64]!r} is no network such as 10.0.0.0/8; a host is given without scheme and path"
            raise ConfigError(label, problem) from None


def _parsed(url: str, label: str, direct: tuple[str, ...]) -> Proxy:
    """Reads the address of a proxy. No message quotes it, since it may contain a password.

    Without a scheme it is ``http://``, as for curl, and needs its port: a word alone (``off``, ``env``) is no host."""
    problem = ConfigError(label, "must be http://host:port, https://host:port, environment or none")
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        raise problem from None
    is_word = port is None and "://" not in url
    is_more = parts.path not in {"", "/"} or bool(parts.query)
    if is_word or parts.scheme not in _PORTS or not _HOST.fullmatch(parts.hostname or "") or is_more:
        raise problem
    return Proxy(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=port or _PORTS[parts.scheme],
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        direct=tuple(host.lower() for host in direct),
    )
