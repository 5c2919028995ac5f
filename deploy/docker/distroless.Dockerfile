# The same without a shell and a package manager in the image. What is built on Debian 12 runs on the
# distroless image of Debian 12: both have the same C library.
#   docker build --file distroless.Dockerfile --tag service PATH
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
COPY . .

FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
COPY --from=build --chown=root:root /app /app
# The image is not made unless the allocator serves a process of this very image, proven from inside.
RUN ["/nodejs/bin/node", "node_modules/offheap/dist/cli.cjs", "run", "--", "/nodejs/bin/node", "node_modules/offheap/dist/cli.cjs", "verify", "--expect", "jemalloc"]
# The image's own user, who can change nothing that the service loads.
USER nonroot
ENV NODE_ENV=production
# It becomes the service: its process ID, its signals. Without the allocator it ends with 125.
ENTRYPOINT ["/nodejs/bin/node", "node_modules/offheap/dist/cli.cjs", "run", "--"]
CMD ["/nodejs/bin/node", "server.js"]
