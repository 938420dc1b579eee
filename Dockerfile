# Runs the page on any host. On a CPU:
#   docker build -t dogvae . && docker run -p 7860:7860 dogvae
# On an NVIDIA GPU, with torch wheels that fit its driver:
#   docker build -t dogvae-cuda --build-arg TORCH=https://download.pytorch.org/whl/cu128 . && docker run --gpus all -p 7860:7860 dogvae-cuda
# For weights from the Hub, add -e WEIGHTS=user/name@revision -v dogvae-cache:/home/dog/.cache (if they can't be loaded,
# the embedded ones are used).
FROM python:3.12-slim
ARG TORCH=https://download.pytorch.org/whl/cpu

RUN useradd --create-home --uid 1000 dog && install -d -o dog /home/dog/.cache
WORKDIR /home/dog/app
COPY requirements.txt .
RUN pip install --no-cache-dir --extra-index-url $TORCH -r requirements.txt
COPY --chown=dog app.py hub.py LICENSE NOTICE ./
COPY --chown=dog model model
COPY --chown=dog ui ui
COPY --chown=dog assets assets
COPY --chown=dog weights weights
COPY --chown=dog training/losses.py training/gan.py training/

USER dog
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_ANALYTICS_ENABLED=False
EXPOSE 7860
HEALTHCHECK --start-period=60s CMD python -c "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + (os.environ.get('PORT') or '7860'), timeout=5)"
CMD ["python", "app.py"]
