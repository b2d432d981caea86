#!/bin/sh
# One picture in, its verdict out: analyze.sh PICTURE [URL]; prints the reply as JSON.
#
# Status 0 accept, 1 reject, 2 review, 3 failure (the reply on stderr says why), 64 wrong arguments.
# Needs curl 7.71 or newer. Busy or stopping (503 with Retry-After), slow or absent: curl tries again.

picture=$1
url=${2:-http://127.0.0.1:8000}
if [ $# -lt 1 ] || [ $# -gt 2 ] || [ ! -f "$picture" ]; then
    echo "analyze.sh: expected PICTURE [URL], where PICTURE is a file" >&2
    exit 64
fi
reply=$(mktemp) || exit 3
trap 'rm -f "$reply"' EXIT
trap 'exit 3' HUP INT TERM

# In curl's language for forms, quotes and backslashes of a name have a backslash before them.
name=$(printf '%s.' "$picture" | sed 's/[\\"]/\\&/g')
status=$(curl --silent --show-error --output "$reply" --write-out '%{http_code}' \
    --connect-timeout 3 --max-time 15 \
    --retry 5 --retry-max-time "${RETRY_MAX_TIME:-30}" --retry-all-errors \
    --header "X-Request-ID: sh-$$-$(date +%s)" \
    --form "image=@\"${name%.}\";type=application/octet-stream" \
    "${url%/}/v1/analyze")

# Quotes inside of values are escaped in JSON, so that no name of a file can look like a verdict.
verdict=$(grep -o '"verdict": *"[a-z]*"' "$reply" 2>/dev/null)
case "$status $verdict" in
'200 '*'"accept"') code=0 ;;
'200 '*'"reject"') code=1 ;;
'200 '*'"review"') code=2 ;;
*)
    echo "analyze.sh: no verdict (HTTP status ${status:-none})" >&2
    cat "$reply" >&2
    exit 3
    ;;
esac
cat "$reply" && echo || exit 3
exit $code
