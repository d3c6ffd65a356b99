# docker build -t kstest . && docker run --rm -v "$PWD:/data" kstest mmd last.csv today.csv
FROM python:3.12-slim AS build
COPY . /src
# Without the tests of the libraries and without pip, which are a tenth of it.
RUN python3 -m venv /opt/kstest && /opt/kstest/bin/pip install --no-cache-dir --no-compile '/src[plot]' \
    && find /opt/kstest/lib -type d -name tests -prune -exec rm -rf {} + && /opt/kstest/bin/pip uninstall -y pip

FROM python:3.12-slim
COPY --from=build /opt/kstest /opt/kstest
# Compiled once, for the kind of processor that builds the image; all may read it, only root may write.
ENV PATH=/opt/kstest/bin:$PATH KSTEST_CACHE_DIR=/opt/kstest-cache
RUN useradd --uid 10001 --create-home checks && kstest warmup --shared /opt/kstest-cache
USER 10001
WORKDIR /data
ENTRYPOINT ["kstest"]
CMD ["--help"]
