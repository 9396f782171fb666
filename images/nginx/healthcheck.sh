#!/bin/sh
# The container's health check: 0 when nginx answers its health page within 2 s.
if [ "${NGINX_TLS:-off}" = on ]; then
    # -quiet also means: wait for the answer although the input ends.
    printf 'GET / HTTP/1.0\r\n\r\n' |
        timeout 2 openssl s_client -quiet -connect "127.0.0.1:${NGINX_PORT:-8080}" 2>/dev/null |
        grep -q '^HTTP/1\.1 200 '
    exit
fi
exec wget -q -T 2 -O /dev/null "http://127.0.0.1:${NGINX_PORT:-8080}/"
