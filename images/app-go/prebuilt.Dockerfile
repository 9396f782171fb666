# The Go sample from a binary that was compiled before, which needs no image at all:
#   CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags="-s -w" -o build/app .
FROM scratch
COPY build/app /app
# A directory of the app's user, for the socket that SOCKET may ask for. A volume that both containers share keeps this
# path's owner. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
COPY --chown=1000:1000 socket/ /run/app/
VOLUME /run/app
ENV HOST=127.0.0.1 \
    PORT=3000 \
    KEEP_ALIVE_TIMEOUT_MS=65000
USER 1000:1000
EXPOSE 3000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/app"]
