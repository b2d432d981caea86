#!/usr/bin/env bash
# A tag of the registry such as unet@v1.2.0 in, models/unet.onnx of that version out, hash-checked.
# Usage: ci/fetch_model.sh TAG
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(ci/version_of.sh "$1")
defectseg model fetch "$version" --out models/unet.onnx
