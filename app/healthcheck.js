// Ends with 0 when the app of this container answers /healthz, for the image's HEALTHCHECK.
const answer = await fetch(`http://127.0.0.1:${process.env.PORT || "8080"}/healthz`, {
  signal: AbortSignal.timeout(2_000),
}).catch((error) => error);

if (!answer.ok) {
  console.error(answer.status ?? answer.message);
  process.exit(1);
}
