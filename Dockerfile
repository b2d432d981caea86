# The service alone, without torch: docker build -t defectseg .
# The model is mounted at /models, or baked in: docker build --target baked -t defectseg:baked .
FROM python:3.11.14-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/defectseg
COPY requirements-service.txt /build/
RUN pip --python /opt/defectseg/bin/python install -r /build/requirements-service.txt
COPY pyproject.toml README.md LICENSE /build/
COPY src/defectseg /build/src/defectseg
RUN pip --python /opt/defectseg/bin/python install --no-deps /build

FROM python:3.11.14-slim-trixie AS service
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="defectseg" \
    org.opencontainers.image.description="Pictures of a surface in, verdict and defects out" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/defectseg /opt/defectseg
ENV PATH=/opt/defectseg/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_WAIT_POLICY=passive \
    ORT_DISABLE_TELEMETRY=1 \
    DEFECTSEG_HOST=0.0.0.0 \
    DEFECTSEG_PORT=8000 \
    DEFECTSEG_MODEL=/models/unet.onnx
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"DEFECTSEG_PORT\"]}/live', timeout=3)"]
CMD ["defectseg", "serve"]

FROM service AS baked
COPY models/unet.onnx /models/unet.onnx

# The last one is what `docker build .` makes.
FROM service AS mounted
