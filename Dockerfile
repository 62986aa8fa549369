# Not root; the file system may be read-only but for /data (results) and /tmp: see compose.yaml.
FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    COMPRESS_STORE=sqlite:////data/results.db
WORKDIR /app
COPY requirements.txt ./
# The CPU build of torch: the plain wheel brings CUDA along.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -r requirements.txt
COPY . ./
RUN useradd --uid 10001 --no-create-home compress && mkdir /data && chown compress /data
USER 10001
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/health', timeout=4)"]
# 0.0.0.0 inside the container; compose.yaml publishes the port on this machine alone.
CMD ["streamlit", "run", "server.py", "--server.address=0.0.0.0", "--server.headless=true"]
