"""The special way to one API's servers, if it has one: its dialler, trust store and client certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.ways import WayOut
from openapi_mcp_server.upstream.addresses import AddressRule, CheckedDialler
from openapi_mcp_server.upstream.sockets import Dialler


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """``tls`` shows our certificate. Only the API sees it, and a token endpoint that authenticates us by it.
    ``anonymous_tls`` shows none. None: the system's defaults."""

    dialler: Dialler
    tls: ssl.SSLContext | None = None
    anonymous_tls: ssl.SSLContext | None = None


def way(out: WayOut, rule: AddressRule) -> Way:
    """The configured way. Raises ConfigError for certificates that cannot be used."""
    dialler: Dialler = CheckedDialler(rule)
    anonymous = _context(out) if out.authorities else None
    if out.proxy is not None:
        from openapi_mcp_server.upstream.proxies import ProxyDialler  # noqa: PLC0415 - for those who have one

        dialler = ProxyDialler(out.proxy, rule, dialler, tls=anonymous)
    if not out.certificate:
        return Way(dialler=dialler, tls=anonymous, anonymous_tls=anonymous)
    return Way(dialler=dialler, tls=_with_certificate(_context(out), out), anonymous_tls=anonymous)


def _context(out: WayOut) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if out.authorities:
        try:
            context.load_verify_locations(cadata=out.authorities)
        except (ssl.SSLError, ValueError):
            raise ConfigError("HTTP_CA_BUNDLE", "holds no certificate that can be read (PEM)") from None
    return context


def _with_certificate(context: ssl.SSLContext, out: WayOut) -> ssl.SSLContext:
    """Temporary files of certificates, since OpenSSL reads them only from files."""
    import tempfile  # noqa: PLC0415 - for those who have one

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "both.pem")
        file.touch(mode=0o600)
        file.write_text(f"{out.certificate}\n{out.key}\n", "utf-8")
        try:
            context.load_cert_chain(file, password=_no_password)
        except (ssl.SSLError, ValueError):
            problem = "certificate and key (AUTH_CLIENT_KEY) cannot be used: PEM, not encrypted, and of each other"
            raise ConfigError("AUTH_CLIENT_CERTIFICATE", problem) from None
    return context


def _no_password() -> str:
    """Refuses a key with a password, for which OpenSSL would ask at the terminal."""
    return ""
