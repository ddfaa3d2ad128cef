# The service and its command line: `docker run IMAGE` serves, `docker run IMAGE user list` runs a command.
FROM python:3.13-slim AS build

WORKDIR /app
COPY requirements.lock .
RUN python -m venv --without-pip /app/.venv \
    && pip --python /app/.venv/bin/python install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --only-binary :all: --require-hashes -r requirements.lock \
    && rm requirements.lock
COPY compose/check_settings.py compose/
COPY service service
# Readable with any umask of the checkout. Compiled now, because the container's file system is read-only.
RUN chmod -R a+rX . && python -m compileall -q service


FROM python:3.13-slim AS service

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin connector
COPY --from=build /app /app

# `make image` sets these. An image that compose builds has empty ones.
ARG VERSION="" REVISION="" CREATED="" SOURCE=""
LABEL org.opencontainers.image.title="Asterisk connector" \
    org.opencontainers.image.description="Registration info and users, in front of a live Asterisk and a PostgreSQL" \
    org.opencontainers.image.authors="the Asterisk connector authors" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.created="$CREATED" \
    org.opencontainers.image.source="$SOURCE"

ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CONNECTOR_HTTP_HOST=0.0.0.0
WORKDIR /app
USER connector
EXPOSE 8080
# Explicit, so that Docker does not take other signals for a stop: it would not restart the service after a later crash.
STOPSIGNAL SIGTERM
# The shell's own TCP client: a Python process for each check would take ten times as long.
HEALTHCHECK --interval=10s --timeout=5s --start-period=40s --retries=3 CMD ["bash", "-c", "\
    exec 3<>/dev/tcp/127.0.0.1/${CONNECTOR_METRICS_PORT:-${CONNECTOR_HTTP_PORT:-8080}} && printf 'GET /livez HTTP/1.0\\r\\n\\r\\n' >&3 \
    && read -r -t 4 _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]


# `backup` and `restore`: with PostgreSQL's own programs, which a container that serves has no use for.
FROM service AS backup

USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/*
USER connector
CMD ["backup", "/backups"]


FROM service
