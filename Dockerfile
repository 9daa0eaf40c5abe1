ARG BASE_IMAGE=node:24.21.0-bookworm-slim@sha256:2fe369e969550cde8e867afc3fe370b260140cab4a23d467074295b42163d553

# The files are gathered in a stage of their own and get one time, so that the layers below are the same bytes wherever
# and whenever they are built: the same commit is the same digest.
FROM ${BASE_IMAGE} AS files
ENV NODE_ENV=production
WORKDIR /dependencies/usr/src/app
COPY app/package.json app/package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY app/ /sources/usr/src/app/
RUN find /dependencies /sources -exec touch -h -d @0 {} +

FROM ${BASE_IMAGE}
ENV NODE_ENV=production
# The dependencies have a layer of their own, so that a change of the app alone does not push them again.
COPY --from=files /dependencies/ /
COPY --from=files /sources/ /
WORKDIR /usr/src/app

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
