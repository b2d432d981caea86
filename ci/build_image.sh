#!/usr/bin/env bash
# models/unet.onnx and the tag of its version in, the service's image with that model out, pushed.
# $IMAGE is its name without a tag, such as ghcr.io/owner/repository; docker must be logged in.
# Usage: ci/build_image.sh TAG
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(ci/version_of.sh "$1")
name=${IMAGE:?such as ghcr.io/owner/repository}
# The default builder cannot attest where an image comes from; one in a container can.
docker buildx create --driver docker-container --name release --use
# A registry wants small letters.
docker buildx build --target baked --tag "${name,,}:$version" --provenance mode=max --push \
    --build-arg "VERSION=${version#v}" --build-arg "REVISION=$(git rev-parse HEAD)" .
echo "pushed ${name,,}:$version"
