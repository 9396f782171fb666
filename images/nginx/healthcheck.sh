#!/bin/sh
# The container's health check: 0 when nginx answers its health page within 2 s.
exec wget -q -T 2 -O /dev/null "http://127.0.0.1:${NGINX_PORT:-8080}/"
