# syntax=docker/dockerfile:1
# The gateway as one binary on a small Debian. Builds from this folder alone: docker build -t promptgate .

FROM rust:1.95-bookworm AS build
# Versions come with the Debian release the base image names.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends cmake pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# Shown by the metric promptgate_build_info: --build-arg PROMPTGATE_COMMIT="$(git rev-parse HEAD)".
ARG PROMPTGATE_COMMIT=unknown
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin promptgate \
 && cp target/release/promptgate /promptgate

FROM debian:bookworm-slim
# The certificate store is what upstream certificates are checked against; without one the gateway does not start.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin promptgate
COPY --from=build /promptgate /usr/local/bin/promptgate
COPY conf/promptgate.toml /etc/promptgate/promptgate.toml
COPY LICENSE /usr/share/doc/promptgate/LICENSE

# In a container loopback reaches nobody. On any other address the development tokens are refused, so they are off and
# the configuration has to bring tokens of its own, a key set (jwt) or a secret (hmac). No value here is a secret.
# hadolint ignore=DL3064
ENV PROMPTGATE__GATEWAY__LISTEN=0.0.0.0:8080 \
    PROMPTGATE__ADMIN__LISTEN=0.0.0.0:8001 \
    PROMPTGATE__AUTH__STATIC__DEV_TOKENS=false \
    PROMPTGATE__LOG__FORMAT=json
EXPOSE 8080 8001
USER 10001:10001
STOPSIGNAL SIGTERM

# Bash opens the connection, so the image needs no HTTP client.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8001 && printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]

ENTRYPOINT ["promptgate"]
CMD ["serve", "--config", "/etc/promptgate/promptgate.toml"]
