// Serves the page on PORT (8080) until SIGTERM or SIGINT, then finishes what it has begun.
import { createApp } from "./server.js";

// How long open requests may take to finish; Docker kills after 10 seconds.
const DRAIN_MILLISECONDS = 8_000;

const port = Number(process.env.PORT || "8080");
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`PORT must be a whole number from 0 to 65535, for example 8080; it is "${process.env.PORT}"`);
  process.exit(2);
}

const app = createApp({ message: process.env.MESSAGE || "Hello from app-one" });
const server = app.listen(port, (error) => {
  if (error) {
    console.error(`cannot listen on port ${port}: ${error.message}; set PORT to a free one`);
    process.exit(1);
  }
  console.log(`listening on port ${server.address().port}`);
});

function stop(signal) {
  console.log(`${signal}: finishing open requests`);
  // Takes no new connection, closes the idle ones, and ends when the last request is answered.
  server.close(() => process.exit(0));
  setTimeout(() => {
    console.error("requests still open; closing them");
    server.closeAllConnections();
  }, DRAIN_MILLISECONDS).unref();
}

process.once("SIGTERM", stop);
process.once("SIGINT", stop);
