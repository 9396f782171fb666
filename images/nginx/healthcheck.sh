#!/bin/sh
# The container's health check: 0 when nginx answers its health page within 2 s.
# In maintenance the page says 503, for the load balancer; nginx is well.
#
# With NGINX_APP_HEALTH_PATH it asks the application, through nginx: 0 when that
# path is answered within NGINX_APP_HEALTH_TIMEOUT by any status from 200 to 399.
#
# A request body that does not fit into nginx's memory goes to the disk. If that is
# full, the task is ill: ECS starts another one, with an empty disk. The file goes
# again, because the room that it has already would always be enough.
{ echo well >/tmp/nginx/body/check; } 2>/dev/null || exit 1
rm /tmp/nginx/body/check

url=127.0.0.1:${NGINX_PORT:-8080} page=/ limit=2
case ",${NGINX_PATH_PREFIXES:-},${NGINX_STATIC_FILES:-}," in
*,/,*) page=/.sidecar/health ;;
esac
if [ -n "${NGINX_APP_HEALTH_PATH:-}" ]; then
    page=/.sidecar/app limit=${NGINX_APP_HEALTH_TIMEOUT:-2}
fi
if [ "${NGINX_TLS:-off}" = on ]; then
    # -quiet also means: wait for the answer although the input ends.
    answer=$(printf 'GET %s HTTP/1.0\r\n\r\n' "$page" | timeout "$limit" openssl s_client -quiet -connect "$url" 2>/dev/null | head -n 1)
else
    answer=$(wget -q -T "$limit" -O /dev/null "http://$url$page" 2>&1) && answer='HTTP/1.1 200 '
fi
case $answer in
*'HTTP/1.1 '[23]*) ;;
*'HTTP/1.1 503 '*) [ "$page" != /.sidecar/app ] && [ -e /tmp/nginx/maintenance ] ;;
*) exit 1 ;;
esac
