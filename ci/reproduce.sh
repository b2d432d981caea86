#!/usr/bin/env bash
# The commit in, whatever `dvc repro` had to run anew out, and how that went in $REPORT.
# It ends well even where the pipeline failed, such as at a gate: the report has to be made all the
# same, and ci/verdict.sh lets the job fail after that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
report=${REPORT:-ci-report}
mkdir -p "$report"

# check_packages would freeze what is installed here and run everything again. That is a change for
# the author to make, not for CI: stop before hours are spent.
status=0
dvc repro --single-item check_packages 2>&1 | tee "$report/repro.log" || status=$?
if ! git diff --exit-code -- requirements.txt >>"$report/repro.log"; then
    git restore -- requirements.txt
    status=1
    echo "the installed packages are not those of requirements.txt: run \`dvc repro\` after" \
        "\`pip install\`, and commit requirements.txt with what it moves" |
        tee -a "$report/repro.log"
fi
if [ "$status" -eq 0 ]; then
    dvc repro 2>&1 | tee -a "$report/repro.log" || status=$?
fi
echo "$status" >"$report/repro.status"
