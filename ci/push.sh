#!/usr/bin/env bash
# What `dvc repro` wrote in, the same in the storage out; nothing where it failed or there is none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
report=${REPORT:-ci-report}

if [ "${STORAGE:-no}" != yes ]; then
    echo "push: no storage here"
elif [ "$(cat "$report/repro.status")" != 0 ]; then
    echo "push: the pipeline failed; nothing of it goes to the storage"
else
    dvc push
fi
