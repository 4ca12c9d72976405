# Another place, or a digest: docker build --build-arg PYTHON_IMAGE=registry.example.com/python:3.13-slim@sha256:…
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
# Where the packages come from, if not from where pip looks by itself. Their hashes are checked all the same.
ARG PIP_INDEX_URL
WORKDIR /build
COPY requirements-image.txt ./
# The base image's pip fills the environment, which then has none.
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-image.txt
COPY service /opt/app
RUN /opt/venv/bin/python -m compileall -q /opt/app

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="openapi-mcp-server" \
      org.opencontainers.image.description="Any OpenAPI document as Model Context Protocol tools" \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# No program of the image may give its user more rights than it has.
RUN find / -xdev -perm /6000 -type f -exec chmod a-s {} + \
 && groupadd --system --gid 10001 mcp && useradd --system --uid 10001 --gid mcp --no-create-home --home-dir /nonexistent mcp
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/app /opt/app
COPY LICENSE /licenses/LICENSE
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
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# True when every worker is ready. A shell's own socket: Python would take twenty times the CPU every few seconds.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "for ((n = 0; n < ${WORKERS:-1}; n++)); do exec 3<>/dev/tcp/127.0.0.1/$((SERVER_PORT + n)) && printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -t 2 -r _ status _ <&3 && [ \"$status\" = 200 ] || exit 1; done"]
ENTRYPOINT ["python", "-m", "openapi_mcp_server"]
