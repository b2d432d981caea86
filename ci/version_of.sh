#!/usr/bin/env bash
# A tag of the registry such as unet@v1.2.0 in, its version out; anything else is refused.
# Usage: ci/version_of.sh TAG
set -euo pipefail

if ! [[ $1 =~ ^unet@(v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?)$ ]]; then
    echo "the tag is '$1'; expected one such as unet@v1.2.0" >&2
    exit 1
fi
echo "${BASH_REMATCH[1]}"
