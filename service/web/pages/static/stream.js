// The stream of presence, read for as long as the page is open. What it says is live only while bytes can arrive.
//
// A stream that ends is lost at once. One that falls silent is checked every second by a request of its own: a
// heartbeat comes every 25 seconds, and a person must not look at a dead board for so long.

const CHECK_MS = 1000;
const ANSWER_MS = 1500;
const SILENT_MS = 60_000;
const SLEPT_MS = 5000;
const RETRY_MS = [250, 500, 1000, 2000, 4000, 8000];

const pause = (milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds * (0.5 + Math.random() / 2)));

// `open(options)` requests the stream. `event(name, data)`, `live()` and `lost()` are called as things happen.
// `serverTime(offset)`: the server's clock minus the browser's, in milliseconds.
export class Stream {
  constructor({ open, event, live, lost, serverTime }) {
    Object.assign(this, { open, event, live, lost, serverTime });
    this.lastId = "";
    this.heardAt = this.checkedAt = 0;
    this.checking = false;
    this.current = null;
  }

  async run() {
    setInterval(() => this.check(), CHECK_MS);
    document.addEventListener("visibilitychange", () => this.check());
    addEventListener("offline", () => this.current?.abort());
    for (let failures = 0; ; ) {
      const began = Date.now();
      this.current = new AbortController();
      await this.read(this.current.signal).catch(() => {});
      this.current = null;
      this.lost();
      failures = Date.now() - began > 10_000 ? 0 : failures + 1;
      await pause(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
    }
  }

  async read(signal) {
    this.heardAt = this.checkedAt = Date.now();
    const headers = this.lastId ? { "Last-Event-ID": this.lastId } : {};
    const response = await this.open({ headers, signal });
    if (!response.ok) throw new Error(`the stream: ${response.status}`);
    const date = Date.parse(response.headers.get("Date"));
    if (date) this.serverTime(date - Date.now());
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = []; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      this.heardAt = Date.now();
      rest.push(value);
      if (!value.endsWith("\n") && !value.includes("\n\n")) continue; // a snapshot of megabytes is joined once
      const events = rest.join("").split("\n\n");
      rest = [events.pop()];
      for (const text of events) this.take(text);
      if (events.length) this.live();
    }
  }

  take(text) {
    const fields = {};
    for (const line of text.split("\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
    }
    if (fields.data) this.event(fields.event, JSON.parse(fields.data));
    if (fields.id) this.lastId = fields.id;
  }

  // The machine may have slept, the network may be gone, the service may hang: none of them ends a connection.
  async check() {
    const now = Date.now();
    const slept = now - this.checkedAt > SLEPT_MS;
    this.checkedAt = now;
    const current = this.current;
    if (!current || document.hidden || this.checking) return;
    if (slept || now - this.heardAt > SILENT_MS) return current.abort();
    if (now - this.heardAt < CHECK_MS) return;
    this.checking = true;
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store", signal }).catch(() => null);
    this.checking = false;
    if (!answer?.ok && this.current === current) current.abort();
  }
}
