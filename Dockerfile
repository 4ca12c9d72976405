FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements.txt ./
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY service /opt/app/service
RUN /opt/venv/bin/python -m compileall -q /opt/app

FROM python:3.13-slim
LABEL org.opencontainers.image.title="openapi-mcp-server" \
      org.opencontainers.image.description="Any OpenAPI document as Model Context Protocol tools" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 mcp && useradd --system --uid 10001 --gid mcp --no-create-home --home-dir /nonexistent mcp
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/app /opt/app
# SERVER_HOST is not loopback in a container, so who may call has to be said: nobody is asked until INBOUND_AUTH says
# otherwise, and the server warns about it at start.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SERVER_TRANSPORT=http \
    SERVER_HOST=0.0.0.0 \
    SERVER_PORT=8000 \
    INBOUND_AUTH=none \
    SHUTDOWN_LAME_DUCK_SECONDS=3
WORKDIR /opt/app
USER mcp
EXPOSE 8000
STOPSIGNAL SIGTERM
# True when every worker is ready.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-IS", "-c", "import http.client, os\nfor n in range(int(os.environ.get('WORKERS') or 1)):\n c = http.client.HTTPConnection('127.0.0.1', int(os.environ['SERVER_PORT']) + n, timeout=2)\n c.request('GET', '/readyz')\n if c.getresponse().status != 200: raise SystemExit(1)"]
ENTRYPOINT ["python", "-m", "service"]
