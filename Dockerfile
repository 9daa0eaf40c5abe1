ARG BASE_IMAGE=node:24.21.0-bookworm-slim
FROM ${BASE_IMAGE}

ENV NODE_ENV=production
WORKDIR /usr/src/app

# The dependencies have a layer of their own, so that a change of the app alone does not fetch them again.
COPY app/package.json app/package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force

COPY app/ ./

# After the layers that cost time, since these change with every commit.
ARG REVISION=unknown
ARG SOURCE=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="app-one" \
      org.opencontainers.image.description="A page that shows the host's name and a message" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}"

# The files belong to root: the app can read them and not change them.
USER node
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s --retries=3 CMD ["node", "healthcheck.js"]
ENTRYPOINT ["node", "app.js"]
