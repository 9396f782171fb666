#!/bin/sh
# Checks the settings in the environment, writes nginx's configuration to
# /tmp/nginx, starts nginx and stays as the container's first process: it takes
# the signal that stops the container, and takes the query out of nginx's error
# lines. Every wrong setting is named, all at once, on stderr; then it ends with 1
# and nginx never starts.
#
# Only what POSIX sh and its tools offer: it runs on Debian's dash and on Alpine's
# BusyBox.
set -eu

# The first process gets no signal that it does not ask for. Nothing is served yet.
trap 'exit 0' QUIT TERM INT

directory=/tmp/nginx
template=/etc/nginx/nginx.conf.template
errors=''

# wrong NAME VALUE ALLOWED: notes an error.
wrong() {
    errors="$errors$1: got \"$2\", allowed: $3
"
}

# number NAME DEFAULT MIN MAX [UNIT]: a whole number; an empty setting is the default.
number() {
    eval "value=\${$1:-$2}"
    case $value in
    *[!0-9]* | 0?* | ??????????*)
        wrong "$1" "$value" "$3 to $4${5:+ $5}"
        value=$2
        ;;
    *)
        if [ "$value" -lt "$3" ] || [ "$value" -gt "$4" ]; then
            wrong "$1" "$value" "$3 to $4${5:+ $5}"
            value=$2
        fi
        ;;
    esac
    eval "$1=\$value"
}

# choice NAME DEFAULT WORD…: one of the words.
choice() {
    name=$1
    eval "value=\${$1:-$2}"
    fallback=$2
    shift 2
    for word; do
        if [ "$value" = "$word" ]; then
            eval "$name=\$value"
            return
        fi
    done
    wrong "$name" "$value" "$(echo "$@")"
    eval "$name=\$fallback"
}

# Lists are split at commas alone, and a * in them is no file name pattern.
set -f
IFS=,

# ---- One number a line: name, default, smallest, largest, unit ----
number NGINX_PORT 8080 1 65535
number APP_PORT 3000 1 65535
number NGINX_WORKER_PROCESSES 1 1 64
number NGINX_WORKER_CONNECTIONS 22000 64 200000
# The load balancer's idle timeout. The other times follow from it.
number NGINX_IDLE_TIMEOUT 30 5 4000 s
number NGINX_KEEPALIVE_TIMEOUT $((NGINX_IDLE_TIMEOUT + 10)) 1 5000 s
number NGINX_READ_TIMEOUT $((NGINX_IDLE_TIMEOUT - 1)) 1 3999 s
number NGINX_UPSTREAM_KEEPALIVE_TIMEOUT "$NGINX_IDLE_TIMEOUT" 1 4000 s
number KEEP_ALIVE_TIMEOUT_MS $((NGINX_UPSTREAM_KEEPALIVE_TIMEOUT * 1000 + 35000)) 1 5000000 ms
number NGINX_CLIENT_TIMEOUT 10 1 300 s
number NGINX_SHUTDOWN_TIMEOUT 50 1 120 s
number NGINX_STOP_DELAY 0 0 110 s
number NGINX_UPSTREAM_KEEPALIVE 512 1 10000
number NGINX_MAX_BODY_KB 1024 1 1048576 KiB
number NGINX_HEADER_KB 8 2 16 KiB
number NGINX_RATE_LIMIT 0 0 100000 'requests per second and client'
number NGINX_RATE_BURST 20 0 100000 requests
number NGINX_CONCURRENCY_LIMIT 0 0 65535 'requests at once and client'
number NGINX_GZIP_LEVEL 1 0 9
number NGINX_CACHE_SECONDS 0 0 3600 s
number NGINX_STATUS_INTERVAL 0 0 3600 s
number NGINX_APP_HEALTH_TIMEOUT 2 1 59 s
choice NGINX_GZIP all all safe
choice NGINX_ACCESS_LOG json json text off
choice NGINX_LOG_HEALTH_CHECKS off on off
choice NGINX_TLS off on off
choice NGINX_INGRESS balancer balancer api
choice NGINX_SPA_FALLBACK off on off
choice NGINX_ENCODED_SLASHES off on off
choice NGINX_STATIC_HISTORY off on off
if [ "$NGINX_TLS" = on ] && ! command -v openssl >/dev/null; then
    wrong NGINX_TLS on 'off in an image without openssl; the stage tls of the Dockerfile has it'
fi

# ---- The chain of timeouts, outermost first ----
if [ "$NGINX_KEEPALIVE_TIMEOUT" -le "$NGINX_IDLE_TIMEOUT" ]; then
    wrong NGINX_KEEPALIVE_TIMEOUT "$NGINX_KEEPALIVE_TIMEOUT" "more than NGINX_IDLE_TIMEOUT ($NGINX_IDLE_TIMEOUT s)"
fi
if [ "$NGINX_READ_TIMEOUT" -ge "$NGINX_IDLE_TIMEOUT" ]; then
    wrong NGINX_READ_TIMEOUT "$NGINX_READ_TIMEOUT" "less than NGINX_IDLE_TIMEOUT ($NGINX_IDLE_TIMEOUT s)"
fi
if [ $((NGINX_UPSTREAM_KEEPALIVE_TIMEOUT * 1000)) -ge "$KEEP_ALIVE_TIMEOUT_MS" ]; then
    wrong NGINX_UPSTREAM_KEEPALIVE_TIMEOUT "$NGINX_UPSTREAM_KEEPALIVE_TIMEOUT" "less than the application's KEEP_ALIVE_TIMEOUT_MS ($KEEP_ALIVE_TIMEOUT_MS ms)"
fi
if [ "$NGINX_PORT" = "$APP_PORT" ]; then
    wrong APP_PORT "$APP_PORT" "another port than NGINX_PORT: both are in one network namespace"
fi

# ---- Lists ----
# Path prefixes: /segment or several; letters, digits, - and _ (a dot would be
# a wildcard in the pattern they become part of). `/` is the empty prefix: all paths
# are the application's, and the health page is where healthcheck.sh looks as well.
prefixes='' health_page=/
for word in ${NGINX_PATH_PREFIXES:-/api}; do
    case $word in
    /)
        health_page=/.sidecar/health
        [ "$NGINX_PATH_PREFIXES" = / ] || wrong NGINX_PATH_PREFIXES "$NGINX_PATH_PREFIXES" '/ alone, or paths without it'
        ;;
    */ | *//* | *[!A-Za-z0-9_/-]* | [!/]* | '') wrong NGINX_PATH_PREFIXES "$word" '/ alone, or paths like /api or /v1/orders, separated by commas' ;;
    *) prefixes="$prefixes${prefixes:+|}$word" ;;
    esac
done
# Static files: the directory of each path is a volume, which the application's image
# has filled. In an image that does not declare it as a VOLUME it would be empty.
static_number=0 static_words='' history=/srv/static/history fallback_page=''
for word in ${NGINX_STATIC_FILES:-}; do
    static_number=$((static_number + 1))
    path=${word%/}
    case $word in
    *//* | *[!A-Za-z0-9_/-]* | [!/]* | ?*/ | '') wrong NGINX_STATIC_FILES "$word" '/, or paths like /assets or /docs/v1, separated by commas' ;;
    *)
        if [ -z "$(ls -A "/srv/static/$static_number$path" 2>/dev/null)" ]; then
            wrong NGINX_STATIC_FILES "$word" "a path with files in /srv/static/$static_number$path; the application's image has to declare their directory as a VOLUME"
        fi
        case ",${NGINX_PATH_PREFIXES:-/api},$static_words," in
        *",$word,"*) wrong NGINX_STATIC_FILES "$word" 'a path that is no prefix of the application and is there once' ;;
        esac
        [ "$word" != / ] || health_page=/.sidecar/health
        [ ! -f "/srv/static/$static_number$path/index.html" ] || fallback_page=yes
        static_words="$static_words${static_words:+,}$word"
        ;;
    esac
done
if [ "$NGINX_SPA_FALLBACK" = on ] && [ -z "$fallback_page" ]; then
    wrong NGINX_SPA_FALLBACK on 'off, or an index.html directly below one of the paths of static files'
fi
if [ "$NGINX_STATIC_HISTORY" = on ] && [ ! -w "$history" ]; then
    wrong NGINX_STATIC_HISTORY on "off, or a volume at $history that nginx may write to"
fi
methods='' methods_list=''
for word in ${NGINX_METHODS:-GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS}; do
    case $word in
    GET | HEAD | POST | PUT | PATCH | DELETE | OPTIONS)
        methods="$methods${methods:+|}$word"
        methods_list="$methods_list${methods_list:+, }$word"
        ;;
    *) wrong NGINX_METHODS "$word" 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, separated by commas' ;;
    esac
done

# Host names, each exact or with `*.` for one label. None: any name.
hosts=''
for word in ${NGINX_ALLOWED_HOSTS:-}; do
    case ${word#\*.} in
    *[!a-z0-9.-]* | *..* | *. | .* | -* | '') wrong NGINX_ALLOWED_HOSTS "$word" 'host names like example.com or *.example.com in small letters, separated by commas' ;;
    *) hosts="$hosts${hosts:+|}$(printf %s "$word" | sed -e 's/\./[.]/g' -e 's/^\*/[a-z0-9_-]+/')" ;;
    esac
done

# Limits of a client below single paths: path:requests a minute:burst.
path_rates=''
for word in ${NGINX_PATH_RATES:-}; do
    if printf '%s\n' "$word" | grep -Eq '^(/[A-Za-z0-9_-]+)+:[1-9][0-9]{0,5}:(0|[1-9][0-9]{0,4})$'; then
        path_rates="$path_rates $word"
    else
        wrong NGINX_PATH_RATES "$word" 'a path, its requests a minute, 1 to 999999, and a burst, 0 to 99999, like /api/login:10:5, separated by commas'
    fi
done

# cidr WORD: is it an address range? IPv4 exactly; IPv6 by its characters, the
# rest is left to nginx.
cidr() {
    case $1 in
    *[!0-9A-Fa-f:./]*) return 1 ;; # grep would take a second line for a second word
    esac
    printf '%s\n' "$1" | grep -Eq \
        -e '^((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(/(3[0-2]|[12]?[0-9]))?$' \
        -e '^[0-9A-Fa-f:]*:[0-9A-Fa-f:]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$'
}
trusted='' trusted_geo=''
for word in ${NGINX_TRUSTED_PROXIES:-}; do
    if cidr "$word"; then
        trusted="${trusted}set_real_ip_from $word;
"
        trusted_geo="$trusted_geo    $word 1;
"
    else
        wrong NGINX_TRUSTED_PROXIES "$word" 'address ranges like 10.0.0.0/16, separated by commas'
    fi
done

# Paths of the application's behind a login: as above, and `/` for all.
logins='(?!)'
for word in ${NGINX_LOGIN_PATHS:-}; do
    case $word in
    /) logins="$logins|/" ;;
    */ | *//* | *[!A-Za-z0-9_/-]* | [!/]* | '') wrong NGINX_LOGIN_PATHS "$word" '/, or paths like /api or /v1/orders, separated by commas' ;;
    *) logins="$logins|$word(?:[/?]|\$)" ;;
    esac
done

# An application may take /api%2Flogin for /api/login. What is only for that path, and
# decided by whoever does not decode it, would not hold. So it is one or the other.
slash=''
if [ "$NGINX_ENCODED_SLASHES" = on ]; then
    # In a sed replacement, so without a backslash.
    slash='2[fF](?![.](?:[.]|/|[?]|$|%2[fF])|/|[?]|$|%2[fF])|'
    [ -z "${NGINX_PATH_RATES:-}" ] || wrong NGINX_ENCODED_SLASHES on 'off with NGINX_PATH_RATES, which an encoded slash would evade'
    case ${NGINX_LOGIN_PATHS:-/} in
    /) ;;
    *) wrong NGINX_ENCODED_SLASHES on 'off with NGINX_LOGIN_PATHS other than /, which an encoded slash would evade' ;;
    esac
fi

# A path that is a word in nginx's configuration; the kernel takes 107 bytes.
# https://man7.org/linux/man-pages/man7/unix.7.html
NGINX_APP_SOCKET=${NGINX_APP_SOCKET:-}
case $NGINX_APP_SOCKET in
*[!A-Za-z0-9._/-]* | [!/]* | */) socket_ok=no ;;
*) socket_ok=yes ;;
esac
if [ "$socket_ok" = no ] || [ ${#NGINX_APP_SOCKET} -gt 107 ]; then
    wrong NGINX_APP_SOCKET "$NGINX_APP_SOCKET" 'a path like /run/app/http.sock, of at most 107 letters, digits and . _ - /'
fi

# A path of the application's: what is a word in nginx's configuration and the same
# however often it is decoded.
NGINX_APP_HEALTH_PATH=${NGINX_APP_HEALTH_PATH:-}
case $NGINX_APP_HEALTH_PATH in
*[!A-Za-z0-9._~/-]* | *//* | [!/]*) wrong NGINX_APP_HEALTH_PATH "$NGINX_APP_HEALTH_PATH" 'a path like /healthz, of letters, digits and . _ ~ - /' ;;
esac

if [ -n "$errors" ]; then
    printf '%s' "$errors" >&2
    exit 1
fi

# ---- What follows from the settings ----
# Descriptors per worker: connections, a file for each large body, and the static
# files that are kept open. Never above the container's hard limit, which nginx could not
# raise.
files=$((NGINX_WORKER_CONNECTIONS + 2048))
hard=$(ulimit -Hn)
if [ "$hard" != unlimited ] && [ "$files" -gt "$hard" ]; then
    files=$hard
fi
# The kernel's third try to connect comes after 7 s, when the application's queue
# of new connections was full. Never longer than an answer may take.
connect_timeout=10
[ "$NGINX_READ_TIMEOUT" -ge "$connect_timeout" ] || connect_timeout=$NGINX_READ_TIMEOUT
# With several workers each gets its own queue of new connections, which the
# kernel fills evenly; one worker needs no such thing.
listen_options=''
[ "$NGINX_WORKER_PROCESSES" -eq 1 ] || listen_options=' reuseport'
[ "$NGINX_TLS" = off ] || listen_options=" ssl$listen_options"
log_options='buffer=4k flush=1s'
case $NGINX_ACCESS_LOG in
off) access_log=off refused_log=off ;;
text) access_log="/dev/stdout text $log_options" refused_log=$access_log ;;
*) access_log="/dev/stdout json $log_options" refused_log="/dev/stdout refused $log_options" ;;
esac
health_log='access_log off;'
[ "$NGINX_LOG_HEALTH_CHECKS" = off ] || health_log=''
# A load balancer writes the client's address and scheme into X-Forwarded-For and
# X-Forwarded-Proto. API Gateway has no HTTP but HTTPS, and writes the address into a
# header that the integration names, over whatever a client sent under that name.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
client_header=X-Forwarded-For scheme='$http_x_forwarded_proto'
if [ "$NGINX_INGRESS" = api ]; then
    client_header=Sidecar-Client scheme=https
fi
# In front of an answer's headers the cache keeps the request's target, which is as
# long as a line may be. nginx wants the last of the two numbers as large as the first.
header_buffer=16k busy_buffers=32k
if [ "$NGINX_CACHE_SECONDS" -gt 0 ]; then
    header_buffer=$((24 + NGINX_HEADER_KB))k busy_buffers=40k
fi
gzip=on gzip_level=$NGINX_GZIP_LEVEL
if [ "$NGINX_GZIP_LEVEL" -eq 0 ]; then
    gzip=off gzip_level=1
fi
gzip_safe=''
[ "$NGINX_GZIP" = all ] || gzip_safe='if ($credentials) { gzip off; }'

mkdir -p "$directory"
# geo asks for the peer's own address, before X-Forwarded-For is looked at.
# https://nginx.org/en/docs/http/ngx_http_geo_module.html#geo
printf '%sgeo $realip_remote_addr $trusted_peer {\n%s}\n' "$trusted" "$trusted_geo" \
    >"$directory/trusted-proxies.conf"
# A Host is a name or an address, with a port or without. The health page asks for none.
if [ -n "$hosts" ]; then
    printf '"~*^(?:%s)(?::[0-9]{1,5})?$" 1;\n' "$hosts" >"$directory/hosts.conf"
else
    cat >"$directory/hosts.conf" <<'END'
"~^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253})(?::[0-9]{1,5})?$" 1;
"~^\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?$" 1;
END
fi
# A socket that has no room for one more connection says so at once, where a port
# lets it wait. So the port stays as the way out, for what has not been sent yet.
# After a time-out there is no other way to try: it is the same application.
# Without a socket there is one peer, and max_fails=0 keeps it from being "down".
: >"$directory/next-peer.conf"
peers="server 127.0.0.1:$APP_PORT max_fails=0;"
if [ -n "$NGINX_APP_SOCKET" ]; then
    peers="server unix:$NGINX_APP_SOCKET max_fails=0;
server 127.0.0.1:$APP_PORT backup max_fails=0;"
    echo 'proxy_next_upstream error;' >"$directory/next-peer.conf"
fi
printf '%s\n' "$peers" >"$directory/peers.conf"

# A load balancer tells large letters from small ones, and many an application does
# not: in another case, a path of the login would get past the login.
: >"$directory/login.conf"
if [ -n "${NGINX_LOGIN_PATHS:-}" ]; then
    cat >"$directory/login.conf" <<'END'
if ($other_case) {
    return 404 $error_body;
}
END
fi

# 10 MiB hold about 80,000 clients. A refusal is in the access log; the default
# level would add an error line for each, and error lines are not buffered.
# https://nginx.org/en/docs/http/ngx_http_limit_req_module.html
# https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html
printf 'limit_req_status 429;\nlimit_req_log_level info;\n' >"$directory/client-zones.conf"
: >"$directory/client-limits.conf"
if [ "$NGINX_RATE_LIMIT" -gt 0 ]; then
    printf 'limit_req_zone $client zone=rates:10m rate=%sr/s;\n' "$NGINX_RATE_LIMIT" >>"$directory/client-zones.conf"
    burst=''
    [ "$NGINX_RATE_BURST" -eq 0 ] || burst=" burst=$NGINX_RATE_BURST nodelay"
    printf 'limit_req zone=rates%s;\n' "$burst" >>"$directory/client-limits.conf"
fi
# Requests outside the path have an empty key and are not counted. Many frameworks take
# /Login for /login. A path that is written in yet another way is refused anyway.
number=0 IFS=' '
for rate in $path_rates; do
    number=$((number + 1)) path=${rate%%:*} burst=${rate##*:} minute=${rate#*:} minute=${minute%:*}
    cat >>"$directory/client-zones.conf" <<END
map \$request_uri \$client_of_path_$number {
    default "";
    "~*^$path(?:[/?]|$)" \$client;
}
limit_req_zone \$client_of_path_$number zone=path_$number:10m rate=${minute}r/m;
END
    [ "$burst" -eq 0 ] && burst='' || burst=" burst=$burst nodelay"
    printf 'limit_req zone=path_%s%s;\n' "$number" "$burst" >>"$directory/client-limits.conf"
done
IFS=,
if [ "$NGINX_CONCURRENCY_LIMIT" -gt 0 ]; then
    printf 'limit_conn_zone $client zone=requests:10m;\nlimit_conn_status 429;\nlimit_conn_log_level info;\n' \
        >>"$directory/client-zones.conf"
    printf 'limit_conn requests %s;\n' "$NGINX_CONCURRENCY_LIMIT" >>"$directory/client-limits.conf"
fi

# at_least NUMBER: a pattern for the whole numbers from it upwards.
at_least() {
    rest=$1 before='' same_length=$1
    while [ -n "$rest" ]; do
        digit=${rest%"${rest#?}"} rest=${rest#?}
        [ "$digit" -eq 9 ] || same_length="$same_length|$before[$((digit + 1))-9][0-9]{${#rest}}"
        before=$before$digit
    done
    echo "(?:$same_length|[1-9][0-9]{${#1},})(?![0-9])"
}

# An answer is kept only if the application says that it is the same for
# everybody: a 200 to a GET or HEAD with `Cache-Control: public` and nothing in it
# that shortens its life below the setting. What nginx would read from the answer
# on its own is ignored, because it would set the time for any status. An answer
# with Set-Cookie or `Vary: *` is never kept, and Vary keeps forms apart.
# A request that carries a proof of who asks, or asks for a part of an answer or
# for a newer one, goes past the cache with its headers as they are.
# One request at a time renews an answer; until it has, the others get the old
# one. No proxy_cache_lock: where there is no old answer, who waits for the lock
# looks again only every half second.
# https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_cache
# https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2
: >"$directory/cache-zone.conf"
: >"$directory/cache.conf"
if [ "$NGINX_CACHE_SECONDS" -gt 0 ]; then
    cat >"$directory/cache-zone.conf" <<END
proxy_cache_path $directory/cache levels=1 keys_zone=answers:8m max_size=64m inactive=${NGINX_CACHE_SECONDS}s use_temp_path=off;
map \$upstream_http_cache_control \$not_public {
    default yes;
    "~*no-store|no-cache|private" yes;
    "~*max-?age[ \\t]*+=[ \\t]*+(?!$(at_least "$NGINX_CACHE_SECONDS"))" yes;
    "~*(?:^|,)[ \\t]*+public[ \\t]*+(?:,|$)" "";
}
END
    cat >"$directory/cache.conf" <<END
proxy_cache answers;
proxy_cache_key "\$request_method \$forwarded_proto \$http_host \$request_uri";
proxy_cache_convert_head off;
proxy_cache_valid 200 ${NGINX_CACHE_SECONDS}s;
proxy_ignore_headers Cache-Control Expires X-Accel-Expires;
proxy_cache_use_stale updating;
set \$past_the_cache "\$http_authorization\$http_cookie\$http_x_api_key\$upgrade\$http_range\$http_if_range\$http_if_match\$http_if_none_match\$http_if_modified_since\$http_if_unmodified_since";
proxy_cache_bypass \$past_the_cache;
proxy_no_cache \$past_the_cache \$not_public \$upstream_http_expires \$upstream_http_x_accel_expires;
proxy_set_header Range \$http_range;
proxy_set_header If-Range \$http_if_range;
proxy_set_header If-Match \$http_if_match;
proxy_set_header If-None-Match \$http_if_none_match;
proxy_set_header If-Modified-Since \$http_if_modified_since;
proxy_set_header If-Unmodified-Since \$http_if_unmodified_since;
END
fi

# nginx's own counts, for the loop at the end of this script and for nobody else: a
# load balancer is never 127.0.0.1, whatever X-Forwarded-For says.
# https://nginx.org/en/docs/http/ngx_http_stub_status_module.html
: >"$directory/status.conf"
if [ "$NGINX_STATUS_INTERVAL" -gt 0 ]; then
    cat >"$directory/status.conf" <<'END'
location = /.sidecar/status {
    access_log off;
    if ($realip_remote_addr != 127.0.0.1) {
        return 404 $error_body;
    }
    stub_status;
}
END
fi

# The application's health, for healthcheck.sh and for nobody else. It goes the way
# that requests go, but on a new connection, and the client's part of a request is
# left out. A redirect is an answer, too, and nobody follows it. How a failure ends
# is ECS's to tell: its events name the task.
# https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass
: >"$directory/app-health.conf"
if [ -n "$NGINX_APP_HEALTH_PATH" ]; then
    cat >"$directory/app-health.conf" <<END
location = /.sidecar/app {
    access_log off;
    error_log stderr crit;
    if (\$realip_remote_addr != 127.0.0.1) {
        return 404 \$error_body;
    }
    error_page 502 504 @ill;
    proxy_pass http://app_check$NGINX_APP_HEALTH_PATH;
    include $directory/next-peer.conf;
    proxy_http_version 1.1;
    proxy_method GET;
    proxy_pass_request_headers off;
    proxy_pass_request_body off;
    proxy_set_header Host localhost;
    proxy_set_header Connection close;
    proxy_set_header User-Agent sidecar-health-check;
    proxy_hide_header Location;
    proxy_connect_timeout ${NGINX_APP_HEALTH_TIMEOUT}s;
    proxy_read_timeout ${NGINX_APP_HEALTH_TIMEOUT}s;
    proxy_buffer_size 16k;
    proxy_buffers 4 16k;
    proxy_busy_buffers_size 32k;
}
location @ill {
    access_log off;
    return 503 "The application does not answer";
}
END
fi

# Static files. A path is the files' or the application's, whichever prefix is longer.
# What is asked for has to be a file with the name as it is in the path: no link to
# somewhere else, nothing that begins with a dot, no list of a directory.
#
# A name with a hash in it is never used again for another content: eight or more
# hexadecimal digits, or eight letters and digits, as bundlers write them. Names that
# only look a little like it are asked for again each time, and the answer is 304.
#
# Who takes Brotli gets the file with .br behind its name, if there is one. nginx
# needs no module for that: such a request goes on in a location where only the name
# of the file is longer, so that its type is still that of the name without .br.
# Every answer has Vary: a cache cannot know which files there are.
#
# With the history a name with a hash is looked for there, too, when the task has no
# such file: it is one of an older or a newer release.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#try_files
# https://nginx.org/en/docs/http/ngx_http_core_module.html#disable_symlinks
# https://www.rfc-editor.org/rfc/rfc8246
# https://www.rfc-editor.org/rfc/rfc7932#section-13
for file in static-target static-maps static-inner static-outer; do : >"$directory/$file.conf"; done
all_prefixes=$prefixes

# below PREFIX LIST: the members of a list with bars that lie below a prefix.
below() {
    IFS='|' found=''
    for member in $2; do
        case $member in
        "$1"/*) found="$found${found:+|}$member" ;;
        esac
    done
    IFS=,
    printf %s "$found"
}

# static_location NUMBER PATH
static_location() {
    fallback='' last='=404'
    [ "$NGINX_SPA_FALLBACK" = off ] || fallback=" \$spa_$1"
    [ "$NGINX_STATIC_HISTORY" = off ] || last=@history
    deeper=$(below "$2" "$prefixes")
    cat <<END
location ~ "^${deeper:+(?!(?:$deeper)(?:/|$))}$2(?:/|$)" {
    if (\$decision = method) { return 405; }
    if (\$decision = unknown) { return 404; }
    if (\$decision != static) { return 400; }
    if (\$uri ~ "/\.(?!well-known(?:/|$))") { return 404; }
    if (-f /srv/static/$1\$uri\$brotli) { rewrite ^ /.sidecar/brotli/$1\$uri last; }
    root /srv/static/$1;
    index index.html;
    try_files \$uri \$uri/$fallback $last;
    gzip_static on;
    include $directory/static-answer.conf;
}
END
}

if [ -n "${NGINX_STATIC_FILES:-}" ]; then
    cat >"$directory/static-answer.conf" <<END
disable_symlinks on from=/srv/static;
absolute_redirect off;
include $directory/static-types.conf;
default_type application/octet-stream;
charset utf-8;
charset_types text/html text/css text/plain text/xml text/javascript text/csv text/markdown;
gzip_vary off;
sendfile on;
tcp_nopush on;
add_header Vary Accept-Encoding;
add_header Cache-Control \$static_cache;
add_header X-Request-Id \$request_id always;
add_header X-Content-Type-Options nosniff always;
END
    cat >"$directory/static-inner.conf" <<END
location ^~ /.sidecar/brotli/ {
    internal;
    location ~ "^/\.sidecar/brotli/(?<brotli_volume>[0-9]+)(?<brotli_file>/.*[^/])$" {
        alias /srv/static/\$brotli_volume\$brotli_file.br;
        gzip off;
        add_header Content-Encoding br;
        include $directory/static-answer.conf;
    }
    return 404;
}
END
    [ "$NGINX_STATIC_HISTORY" = off ] || cat >"$directory/static-outer.conf" <<END
location @history {
    root $history;
    open_file_cache off;
    try_files \$kept =404;
    gzip_static on;
    include $directory/static-answer.conf;
}
END
    cat >"$directory/static-types.conf" <<'END'
types {
    text/html html htm;
    text/css css;
    text/javascript js mjs;
    text/plain txt;
    text/xml xml;
    text/csv csv;
    text/markdown md;
    application/json json map;
    application/ld+json jsonld;
    application/manifest+json webmanifest;
    application/wasm wasm;
    application/pdf pdf;
    application/zip zip;
    application/gzip gz;
    application/rss+xml rss;
    application/atom+xml atom;
    application/vnd.ms-fontobject eot;
    font/woff2 woff2;
    font/woff woff;
    font/ttf ttf;
    font/otf otf;
    image/svg+xml svg;
    image/png png;
    image/jpeg jpg jpeg;
    image/gif gif;
    image/webp webp;
    image/avif avif;
    image/x-icon ico;
    audio/mpeg mp3;
    audio/ogg ogg;
    video/mp4 mp4;
    video/webm webm;
}
END
    # To refuse links, nginx opens each directory of a path by itself, and it looks for
    # several names for each request. Open files, and that there is none, are kept for a
    # second: as long a file that is written anew while the task runs may not be seen.
    # https://nginx.org/en/docs/http/ngx_http_core_module.html#open_file_cache
    cat >"$directory/static-maps.conf" <<'END'
open_file_cache max=1000 inactive=10s;
open_file_cache_valid 1s;
open_file_cache_errors on;
map $uri $static_cache {
    default no-cache;
    "~[.-](?=[a-f]{0,63}[0-9])(?=[0-9]{0,63}[a-f])[0-9a-f]{8,64}(?:\.[a-z0-9]{1,12}){1,2}$" "public, max-age=31536000, immutable";
    "~[.-](?=[A-Za-z_-]{0,7}[0-9])(?=[0-9a-z_-]{0,7}[A-Z])[A-Za-z0-9_-]{8}(?:\.[a-z0-9]{1,12}){1,2}$" "public, max-age=31536000, immutable";
}
map $static_cache $kept {
    default /.sidecar/none;
    "~immutable$" $uri;
}
# A name with a slash behind it is no file.
map $http_accept_encoding $brotli {
    default /;
    "~*(?:^|,)[ \t]*+br[ \t]*+(?:,|$|;[ \t]*+q=(?:1|0\.[0-9]{0,2}[1-9]))" .br;
}
END
    number=0 static_pattern='' numbered=''
    for word in $NGINX_STATIC_FILES; do
        number=$((number + 1)) path=${word%/}
        numbered="$numbered$word $number
"
        all_prefixes="$all_prefixes|$path"
        deeper=$(below "$path" "$prefixes")
        [ "$number" -eq 1 ] || static_pattern="$static_pattern|"
        static_pattern="$static_pattern${deeper:+(?!(?:$deeper)(?:[/?]|$))}$path"
        # A last segment without a dot is a page of the application in the browser. A
        # file that is missing stays missing.
        [ "$NGINX_SPA_FALLBACK" = off ] || cat >>"$directory/static-maps.conf" <<END
map \$uri \$spa_$number {
    default /.sidecar/none;
    "~/[^/.]*+$" $path/index.html;
}
END
    done
    # Backwards, what lies below another path comes before it.
    printf %s "$numbered" | sort -r | while IFS=' ' read -r word number; do
        path=${word%/} where=outer
        IFS='|'
        for prefix in ${prefixes:-|}; do
            case $path in
            "$prefix"/*) where=inner ;;
            esac
        done
        static_location "$number" "$path" >>"$directory/static-$where.conf"
    done
    # The same pattern as for the application's paths. No file's name has a slash in it.
    sed -n -e "s,@PREFIXES@,$static_pattern,; s,@SLASH@,,; s/ app;\$/ static;/p" "$template" >"$directory/static-target.conf"
fi

# A key that no other container has and that nobody reads from an image: the load
# balancer encrypts, and does not ask who signed.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-routing-configuration
: >"$directory/tls.conf"
if [ "$NGINX_TLS" = on ]; then
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650 \
        -subj /CN=sidecar -keyout "$directory/tls.key" -out "$directory/tls.crt" 2>"$directory/tls.log") || {
        cat "$directory/tls.log" >&2
        exit 1
    }
    # The load balancer knows all of these with its targets. The cache, 1 MiB for
    # 4,000 sessions, spares it most handshakes in full.
    # Defaults: none, none, TLSv1 and newer, HIGH:!aNULL:!MD5, none.
    # https://nginx.org/en/docs/http/ngx_http_ssl_module.html
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/create-https-listener.html#tls-security-policies
    cat >"$directory/tls.conf" <<END
ssl_certificate $directory/tls.crt;
ssl_certificate_key $directory/tls.key;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
ssl_session_cache shared:tls:1m;
END
fi

# None of the values has a comma, an ampersand or a backslash by now, except the
# list of methods, which has commas.
sed \
    -e "s,@WORKER_PROCESSES@,$NGINX_WORKER_PROCESSES,g" \
    -e "s,@WORKER_CONNECTIONS@,$NGINX_WORKER_CONNECTIONS,g" \
    -e "s,@WORKER_FILES@,$files,g" \
    -e "s,@SHUTDOWN_TIMEOUT@,$NGINX_SHUTDOWN_TIMEOUT,g" \
    -e "s,@PREFIXES@,$prefixes,g" \
    -e "s,@ALL_PREFIXES@,$all_prefixes,g" \
    -e "s,@SLASH@,$slash,g" \
    -e "s,@HEALTH_PAGE@,$health_page,g" \
    -e "s,@METHODS@,$methods,g" \
    -e "s,@LOGINS@,$logins,g" \
    -e "s,@CLIENT_HEADER@,$client_header,g" \
    -e "s,@FORWARDED_SCHEME@,$scheme,g" \
    -e "s/@METHODS_LIST@/$methods_list/g" \
    -e "s,@ACCESS_LOG@,$access_log,g" \
    -e "s,@REFUSED_LOG@,$refused_log,g" \
    -e "s,@HEALTH_LOG@,$health_log,g" \
    -e "s,@MAX_BODY@,${NGINX_MAX_BODY_KB}k,g" \
    -e "s,@CLIENT_TIMEOUT@,$NGINX_CLIENT_TIMEOUT,g" \
    -e "s,@KEEPALIVE_TIMEOUT@,$NGINX_KEEPALIVE_TIMEOUT,g" \
    -e "s,@CONNECT_TIMEOUT@,$connect_timeout,g" \
    -e "s,@READ_TIMEOUT@,$NGINX_READ_TIMEOUT,g" \
    -e "s,@HEADER_BUFFER@,$header_buffer,g" \
    -e "s,@BUSY_BUFFERS@,$busy_buffers,g" \
    -e "s,@HEADER_KB@,$NGINX_HEADER_KB,g" \
    -e "s,@GZIP@,$gzip,g" \
    -e "s,@GZIP_LEVEL@,$gzip_level,g" \
    -e "s,@GZIP_SAFE@,$gzip_safe,g" \
    -e "s,@UPSTREAM_KEEPALIVE@,$NGINX_UPSTREAM_KEEPALIVE,g" \
    -e "s,@UPSTREAM_KEEPALIVE_TIMEOUT@,$NGINX_UPSTREAM_KEEPALIVE_TIMEOUT,g" \
    -e "s,@PORT@,$NGINX_PORT,g" \
    -e "s,@LISTEN_OPTIONS@,$listen_options,g" \
    "$template" >"$directory/nginx.conf"

# `entrypoint -t` checks the rendered configuration; no argument serves.
# -e: before the configuration is read, errors go to a file that is not writable.
# https://nginx.org/en/docs/switches.html
[ $# -eq 0 ] || exec nginx -e stderr -c "$directory/nginx.conf" "$@"

# ---- Serve ----
# keep_files: copies the files that are served under a name with a hash to the
# history, before the first request, so that every other task has what this one's
# pages ask for. More names than in the map above do no harm, since nginx asks for no
# other. A file is there whole or not at all, however many tasks copy it: it gets its
# name last. What is there already has the same content.
keep_files() {
    number=0
    for word in ${NGINX_STATIC_FILES:-}; do
        number=$((number + 1)) path=${word%/}
        (cd "/srv/static/$number" && find ".$path" -type f) |
            grep -E '^\./.*[.-][A-Za-z0-9_-]{8,64}(\.[a-z0-9]{1,12}){1,2}$' | grep -v '/\.' |
            while IFS= read -r file; do
                from=/srv/static/$number/$file to=$history/$file
                if [ -e "$to" ] || [ ! -r "$from" ]; then continue; fi
                mkdir -p "${to%/*}" && draft=$(mktemp "${to%/*}/.XXXXXX") && cp "$from" "$draft" &&
                    touch -r "$from" "$draft" && chmod 644 "$draft" && mv -f "$draft" "$to" || exit 1
            done || return 1
    done
}
if [ "$NGINX_STATIC_HISTORY" = on ] && ! keep_files; then
    echo "NGINX_STATIC_HISTORY: files could not be copied to $history; the lines above say why" >&2
    exit 1
fi

# nginx writes the whole request line into its error lines, and the Referer, and
# no directive changes that. The query is taken out on the way: from each word
# what follows a question mark, because a query has no blanks. A socket that is
# full for a moment is no error: the request goes to the port.
rm -f "$directory/errors"
mkfifo "$directory/errors"
awk 'index($0, "connect() to unix:") && index($0, " failed (11: ") { next }
{
    if (at = index($0, ", referrer: \"")) $0 = substr($0, 1, at - 1)
    for (i = 1; i <= NF; i++)
        if (at = index($i, "?"))
            $i = substr($i, 1, at - 1) ($i ~ /",$/ ? "\"," : $i ~ /"$/ ? "\"" : "")
    print
    fflush()
}' <"$directory/errors" >&2 &
errors_filter=$!

# The health page answers 503 as long as this file is there.
rm -f "$directory/maintenance"
[ -z "$NGINX_APP_HEALTH_PATH" ] || : >"$directory/maintenance"
nginx -e stderr -c "$directory/nginx.conf" 2>"$directory/errors" &
nginx=$!

# await_app: without a health check of its own the application may still be starting.
# The load balancer sends no request here until it has answered once.
await_app() {
    until /usr/local/bin/healthcheck >/dev/null 2>&1; do sleep 1; done
    rm -f "$directory/maintenance"
}
awaiting=''
if [ -n "$NGINX_APP_HEALTH_PATH" ]; then
    await_app &
    awaiting=$!
fi

# report: a line with nginx's counts into the access log at each interval. `dropped`
# are connections that nginx had to close at once, because it had no room. The
# request for the counts is not in them.
status_page() {
    if [ "$NGINX_TLS" = on ]; then
        printf 'GET /.sidecar/status HTTP/1.0\r\n\r\n' |
            timeout 2 openssl s_client -quiet -connect "127.0.0.1:$NGINX_PORT" 2>/dev/null
    else
        wget -q -T 2 -O - "http://127.0.0.1:$NGINX_PORT/.sidecar/status"
    fi
}
report() {
    IFS=' ' accepted=0 handled=0 requests=0
    while sleep "$NGINX_STATUS_INTERVAL"; do
        # shellcheck disable=SC2046 # seven numbers
        set -- $(status_page | sed -n '/^Active/,$p' | tr -cs 0-9 ' ')
        [ $# -eq 7 ] || continue
        printf '{"time":"%s","event":"connections","connections":%d,"reading":%d,"writing":%d,"waiting":%d,"accepted":%d,"dropped":%d,"requests":%d}\n' \
            "$(date -u +%Y-%m-%dT%H:%M:%S+00:00)" $(($1 - 1)) "$5" $(($6 - 1)) "$7" \
            $(($2 - accepted - 1)) $(($2 - $3 - accepted + handled)) $(($4 - requests - 1))
        accepted=$2 handled=$3 requests=$4
    done
}
[ "$NGINX_STATUS_INTERVAL" -eq 0 ] || report &

# stop: while the file is there, the health page answers 503, so the load balancer
# sends its requests elsewhere. nginx serves on meanwhile and stops after the delay,
# or at once on a second signal. SIGTERM would make nginx cut the requests under
# way; SIGQUIT finishes them. https://nginx.org/en/docs/control.html
stopping=''
stop() {
    [ -z "$awaiting" ] || kill "$awaiting" 2>/dev/null || :
    : >"$directory/maintenance"
    if [ -z "$stopping" ] && [ "$NGINX_STOP_DELAY" -gt 0 ]; then
        { sleep "$NGINX_STOP_DELAY" && kill -QUIT "$nginx"; } &
    else
        kill -QUIT "$nginx" || :
    fi
    stopping=yes
}
trap stop QUIT TERM INT

# A signal ends `wait` early, so it is asked until nginx is gone.
status=0
while kill -0 "$nginx" 2>/dev/null; do
    status=0
    wait "$nginx" || status=$?
done
# The last lines. Where nginx's main process was killed, its workers live on and
# hold the other end; they go with the container.
[ "$status" -gt 128 ] || wait "$errors_filter" || :
exit "$status"
