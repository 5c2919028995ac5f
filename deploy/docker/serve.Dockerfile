# offheap serve, for the DaemonSet. The directory has package.json and package-lock.json with offheap as
# the only dependency:
#   docker build --file serve.Dockerfile --tag offheap-serve PATH
FROM node:26-bookworm-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
RUN ["node_modules/.bin/offheap", "serve", "--help"]
# Numbers, so that Kubernetes can see that it is not root where runAsNonRoot asks for that.
USER 65534:65534
EXPOSE 9464
ENTRYPOINT ["node_modules/.bin/offheap", "serve"]
CMD ["--metrics-only"]
