import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { hostname } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";

import { createApp } from "../server.js";

const root = path.join(import.meta.dirname, "..");

describe("the page", () => {
  const log = new PassThrough();
  const app = createApp({ message: `<script>alert("x")</script> & more`, log });
  let server;
  let address;

  before(async () => {
    server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    address = `http://127.0.0.1:${server.address().port}`;
  });
  after(() => server.close());

  it("shows the host's name", async () => {
    const page = await (await fetch(address)).text();
    assert.match(page, new RegExp(`<code>${hostname()}</code>`));
  });

  it("escapes the message", async () => {
    const page = await (await fetch(address)).text();
    assert.ok(page.includes("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; more"));
    assert.ok(!page.includes("<script"));
  });

  it("serves every file that it names", async () => {
    const page = await (await fetch(address)).text();
    const files = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((found) => found[1]);
    assert.ok(files.includes("/style.css"));
    assert.ok(files.includes("/container.svg"));
    for (const file of files) {
      assert.equal((await fetch(address + file)).status, 200, file);
    }
  });

  it("tells no client that a static file is unchanged by its time, which is the same in every image", async () => {
    const answer = await fetch(`${address}/style.css`);
    assert.match(answer.headers.get("content-type"), /^text\/css/);
    assert.equal(answer.headers.get("etag"), null);
    assert.equal(answer.headers.get("last-modified"), null);
  });

  it("says that it is healthy, and keeps that out of the request log", async () => {
    log.read();
    const answer = await fetch(`${address}/healthz`);
    assert.equal(answer.status, 200);
    assert.equal(await answer.text(), "ok\n");
    await (await fetch(`${address}/?after`)).text();
    const lines = log.read().toString();
    assert.match(lines, /"GET \/\?after HTTP\/1.1" 200 /);
    assert.ok(!lines.includes("healthz"));
  });

  it("does not tell what it is made of", async () => {
    assert.equal((await fetch(address)).headers.get("x-powered-by"), null);
  });

  it("answers an unknown path with a page and 404, without repeating the path", async () => {
    const answer = await fetch(`${address}/%3Cb%3Enowhere`);
    assert.equal(answer.status, 404);
    const page = await answer.text();
    assert.match(page, /There is no such page/);
    assert.ok(!page.includes("nowhere"));
  });

  it("answers a malformed path without a stack", async () => {
    const answer = await fetch(`${address}/%E0%A4%A`);
    assert.equal(answer.status, 404);
    assert.doesNotMatch(await answer.text(), /URIError|\.js/);
  });
});

describe("an error of its own", () => {
  it("is a page with 500 and no stack; the log has it", async (context) => {
    const logged = context.mock.method(console, "error", () => {});
    const app = createApp({ message: "", log: new PassThrough() });
    app.set("views", path.join(root, "views"));
    const failing = app.render.bind(app);
    app.render = (view, options, callback) =>
      view === "home" ? callback(new Error("the cable is out")) : failing(view, options, callback);
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
      assert.equal(answer.status, 500);
      const page = await answer.text();
      assert.match(page, /Something went wrong/);
      assert.doesNotMatch(page, /cable|Error:|\.js/);
      assert.match(String(logged.mock.calls[0].arguments[0]), /the cable is out/);
    } finally {
      server.close();
    }
  });
});

describe("the process", () => {
  /** Starts app.js and waits for the port that it says it listens on. */
  async function start(environment) {
    const child = spawn(process.execPath, ["app.js"], { cwd: root, env: { ...process.env, PORT: "0", ...environment } });
    const lines = createInterface({ input: child.stdout });
    for await (const line of lines) {
      const found = line.match(/^listening on port (\d+)$/);
      if (found) {
        child.stdout.resume();
        return { child, port: Number(found[1]) };
      }
    }
    throw new Error("it ended before it listened");
  }

  it("shows MESSAGE", async () => {
    const { child, port } = await start({ MESSAGE: "Good morning" });
    try {
      assert.match(await (await fetch(`http://127.0.0.1:${port}/`)).text(), /<h1>Good morning<\/h1>/);
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });

  it("on SIGTERM finishes the open request, takes no new one, and ends with 0", async () => {
    const { child, port } = await start({});
    const ended = once(child, "exit");
    const socket = net.connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
    // An answer to a later request tells that the server has the half of the first one.
    await (await fetch(`http://127.0.0.1:${port}/healthz`)).text();
    const said = once(child.stdout, "data");
    child.kill("SIGTERM");
    assert.match(String((await said)[0]), /^SIGTERM: finishing open requests/);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/healthz`));
    socket.write("Connection: close\r\n\r\n");
    assert.match(await text(socket), /^HTTP\/1.1 200 OK\r\n/);
    assert.deepEqual(await ended, [0, null]);
  });

  it("refuses a PORT that is none, with a sentence", async () => {
    const child = spawn(process.execPath, ["app.js"], { cwd: root, env: { ...process.env, PORT: "http" } });
    const [said, ended] = await Promise.all([text(child.stderr), once(child, "exit")]);
    assert.deepEqual(ended, [2, null]);
    assert.match(said, /^PORT must be a whole number from 0 to 65535, for example 8080; it is "http"\n$/);
  });
});

describe("the health check", () => {
  const run = async (port) => {
    const child = spawn(process.execPath, ["healthcheck.js"], { cwd: root, env: { ...process.env, PORT: String(port) } });
    return (await once(child, "exit"))[0];
  };

  it("passes while the app answers and fails when it does not", async () => {
    const server = createApp({ message: "", log: new PassThrough() }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    assert.equal(await run(port), 0);
    server.close();
    await once(server, "close");
    assert.equal(await run(port), 1);
  });
});
