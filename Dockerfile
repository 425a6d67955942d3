# tumorscope with what DICOM needs: docker build -t tumorscope .
FROM python:3.11-slim

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --constraint constraints.txt ".[dicom]" \
    && useradd --create-home tumorscope \
    && install -d -o tumorscope /spool

USER tumorscope
VOLUME /spool
ENTRYPOINT ["tumorscope"]
CMD ["--help"]
