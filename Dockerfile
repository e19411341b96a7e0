#     docker build -t faregate .
#     docker run -p 8402:8402 -v ./faregate.yaml:/etc/faregate/faregate.yaml:ro -v faregate:/var/lib/faregate faregate
#
# Inside a container, listen on every interface and keep the store on the volume:
#
#     server: {listen: "0.0.0.0:8402"}
#     store: {url: "sqlite:/var/lib/faregate/faregate.db"}
#
# The last stage has no distribution in it, no shell and no package manager: the binary, the four libraries of the C
# runtime it loads, and the certificates of the public authorities. A static musl binary was the other way; the C
# runtime of Debian is what the tests run on, its resolver reads every resolv.conf, and SQLite and AWS-LC (both compiled
# in) need nothing beyond it. Rebuild the image to take Debian's security updates of these libraries.

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
# The image has the toolchain of rust-toolchain.toml, without the components that only development needs.
ENV RUSTUP_TOOLCHAIN=1.95.0
COPY . .
RUN cargo build --release --locked --bin faregate

# The file system of the last stage, put together here because there is nothing to put it together with over there.
RUN mkdir -p /image/etc/faregate /image/etc/ssl/certs /image/var/lib/faregate /image/tmp \
    && cp target/release/faregate /image/faregate \
    && ldd /image/faregate | grep -o '/[^ ]*' | xargs -I{} cp --parents --dereference {} /image \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && printf 'faregate:x:65532:65532::/var/lib/faregate:/none\n' > /image/etc/passwd \
    && printf 'faregate:x:65532:\n' > /image/etc/group \
    && chown 65532:65532 /image/var/lib/faregate \
    && chmod 1777 /image/tmp
# It has to run from what was copied and nothing else; this fails the build, not the first start.
RUN chroot --userspec=65532:65532 /image /faregate --version

FROM scratch
# Owners and modes come along from one stage to another.
COPY --from=build /image /
USER 65532:65532
WORKDIR /var/lib/faregate
VOLUME /var/lib/faregate
EXPOSE 8402
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/faregate", "health"]
# Stops when calls under way have ended, at the latest after `drain`; give `docker stop` as long: --time 130.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/faregate"]
CMD ["serve"]
