# syntax=docker/dockerfile:1
#
# docker build -t tidings .
# docker run --read-only --tmpfs /tmp -v tidings:/data -p 8080:8080 -p 127.0.0.1:8081:8081 tidings
#
# Without a configuration of yours this serves the example newsletter. Mount a file and name it with TIDINGS_CONFIG, or set
# TIDINGS_ variables; TIDINGS_SERVER__URL is the one to set first.

ARG RUST=docker.io/library/rust:1-slim-bookworm
ARG RUNTIME=docker.io/library/debian:bookworm-slim

FROM ${RUST} AS build
# The image has all that a build needs: Cargo, and the C compiler for SQLite and AWS-LC.
WORKDIR /build
COPY . .
# Downloads and compiled dependencies stay in caches beside the image, so that a second build compiles only what changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin tidings \
 && install -D target/release/tidings /out/tidings

FROM ${RUNTIME}
# git reads repositories; the certificates are for relays, databases and git servers.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git ca-certificates \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/*
# A fixed number, so that whoever mounts /data can give it to this user.
RUN groupadd --gid 10001 tidings \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin tidings \
 && install --directory --owner tidings --group tidings --mode 0750 /data

COPY --from=build /out/tidings /usr/local/bin/tidings
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/tidings/
# The example is a path relative to the working directory, here as in the repository.
WORKDIR /usr/share/tidings
COPY examples examples

# Inside a container, 127.0.0.1 is the container: listen on every address and let the -p options say who may come. Publish 8081
# to your own machine only (-p 127.0.0.1:8081:8081): it asks for no password.
ENV TIDINGS_SERVER__PUBLIC=0.0.0.0:8080 \
    TIDINGS_SERVER__PRIVATE=0.0.0.0:8081 \
    TIDINGS_DATABASE__URL=sqlite:/data/tidings.db \
    TIDINGS_DATA__DIRECTORY=/data \
    TIDINGS_MAIL__OUTBOX__DIRECTORY=/data/outbox \
    HOME=/data

USER 10001:10001
VOLUME /data
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["tidings", "health"]
ENTRYPOINT ["tidings"]
CMD ["serve"]
