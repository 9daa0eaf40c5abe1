// The page, its static files and /healthz, as an Express app that is not listening yet.
import { hostname } from "node:os";
import path from "node:path";

import express from "express";
import { engine } from "express-handlebars";
import morgan from "morgan";

const here = import.meta.dirname;

/**
 * @param {object} options
 * @param {string} options.message shown on the page, escaped by the template
 * @param {import("node:stream").Writable} [options.log] where a line for each request goes, stdout unless told
 * @returns {express.Express}
 */
export function createApp({ message, log = process.stdout }) {
  const app = express();
  app.disable("x-powered-by");
  app.engine("handlebars", engine());
  app.set("view engine", "handlebars");
  app.set("views", path.join(here, "views"));

  app.use((request, response, next) => {
    response.set({
      "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; frame-ancestors 'none'",
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
    });
    next();
  });

  // Before the request log: a line each few seconds for each prober would hide the others.
  app.get("/healthz", (request, response) => {
    response.set("Cache-Control", "no-store").type("text").send("ok\n");
  });

  app.use(morgan("combined", { stream: log }));

  // The image's files all have one modification time, so neither it nor an ETag made from it tells two versions apart.
  app.use(express.static(path.join(here, "public"), { etag: false, lastModified: false, maxAge: "5m", index: false }));

  app.get("/", (request, response) => {
    response.render("home", { host: hostname(), message });
  });

  app.use((request, response) => {
    response.status(404).render("error", { title: "Not found", text: "There is no such page." });
  });

  // Express knows an error handler by its four parameters.
  app.use((error, request, response, next) => {
    console.error(error);
    if (response.headersSent) {
      next(error);
      return;
    }
    response.status(500).render("error", { title: "Something went wrong", text: "It is in the log." });
  });

  return app;
}
