#!/usr/bin/env bash
# The branch that is asked to take the change in, $REPORT/comment.md, index.html and model.patch out.
# Like ci/reproduce.sh it ends well whatever it finds: ci/verdict.sh judges.
# Usage: ci/compare.sh BRANCH
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
report=${REPORT:-ci-report}
mkdir -p "$report"
rm -f "$report"/{compare.md,compare.log,compare.status,index.html}

# Scores are those of this commit only if evaluate ran after its last change; after a failed
# training metrics/evaluate.json would be the one of the base, and nothing would seem to change.
is_evaluated() {
    [ "$(dvc status --json evaluate)" = "{}" ]
}

tell() {
    if [ -s "$report/compare.md" ]; then
        cat "$report/compare.md"
    else
        printf '**Not compared**\n<!-- defectseg compare -->\n'
    fi
    printf '\n**CI**\n\n'
    ci/verdict.sh || true
    for log in repro compare; do
        if [ "$(cat "$report/$log.status" 2>/dev/null || echo 0)" -ge "$1" ]; then
            printf '\n<details><summary>The end of %s.log</summary>\n\n```text\n' "$log"
            # Without bars of progress; nothing that was printed ends the block; 8 000 characters.
            tr '\r`' "\n'" <"$report/$log.log" | grep -v -e '%|' -e '^$' | tail -n 25 | cut -c -300 |
                tr -d '\000-\010\013-\037' | iconv -c -f UTF-8 -t UTF-8 || true
            printf '```\n\n</details>\n'
        fi
        shift
    done
}

git diff --binary >"$report/model.patch"
if is_evaluated; then
    status=0
    base=$(git rev-parse --short=12 "$(git merge-base HEAD "origin/$1")")
    defectseg compare "$base" --markdown "$report/compare.md" --html "$report/index.html" \
        2>&1 | tee "$report/compare.log" || status=$?
else
    status=2
    echo "evaluate did not run, so there are no scores to compare" | tee "$report/compare.log"
fi
echo "$status" >"$report/compare.status"
tell 1 2 >"$report/comment.md"
