# A Node service under jemalloc, on Debian. The program is package.json, package-lock.json with offheap
# among the dependencies, and server.js:
#   docker build --file debian.Dockerfile --tag service PATH
FROM node:26-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
COPY . .

FROM node:26-bookworm-slim
WORKDIR /app
COPY --from=build --chown=root:root /app /app
# The image is not made unless the allocator serves a process of this very image, proven from inside.
RUN ["node_modules/.bin/offheap", "run", "--", "node_modules/.bin/offheap", "verify", "--expect", "jemalloc"]
# Who runs the service can change nothing that it loads.
USER node
ENV NODE_ENV=production
# It becomes the service: its process ID, its signals. Without the allocator it ends with 125.
ENTRYPOINT ["node_modules/.bin/offheap", "run", "--"]
CMD ["node", "server.js"]
