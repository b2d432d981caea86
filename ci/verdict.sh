#!/usr/bin/env bash
# What the earlier steps left in $REPORT in, one line for each reason and the job's status out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
report=${REPORT:-ci-report}
failed=0

refuse() {
    echo "- ❌ $*"
    failed=1
}

status_of() {
    cat "$report/$1.status" 2>/dev/null || echo missing
}

ran=$(sed -n "s/^Running stage '\([a-z_]*\)'.*/\1/p" "$report/repro.log" 2>/dev/null |
    grep -vx check_packages | paste -sd ' ' || true)
echo "- Stages that ran: ${ran:-none, everything was up to date}"
case $(status_of repro) in
    0) ;;
    *) refuse "\`dvc repro\` failed: see the end of its log" ;;
esac
case $(status_of compare) in
    0) ;;
    1) refuse "a gated metric is worse than at the base" ;;
    *) refuse "the model could not be compared with the base: see the end of the log" ;;
esac
if [ "$(status_of repro)" = 0 ] && [ -s "$report/model.patch" ]; then
    moved=$(git diff --name-only | paste -sd ' ')
    if [ "${STORAGE:-no}" = yes ]; then
        refuse "what the pipeline wrote is not committed: \`$moved\`. Take model.patch from" \
            "this run's artifacts, \`git apply model.patch && dvc pull\`, and commit it"
    else
        echo "- Another machine, other last digits: \`$moved\` differ from what is committed"
    fi
fi
[ "$failed" -eq 0 ] && echo "- ✅ nothing to object to"
exit "$failed"
