// The queues: who waits since when, and who could take the call.

import { $, h, icon } from "./dom.js";
import { ICONS } from "./icons.js";
import { age, clock, entryOf, GROUPS } from "./state.js";

const WAIT_S = 25;
const RETRY_MS = 2000;
const MOST = 8; // callers and members that are listed; all are counted

// A browser gives all tabs of a site six connections over HTTP/1.1: a hidden board leaves its second one to others.
const visible = () =>
  document.hidden ? new Promise((done) => document.addEventListener("visibilitychange", done, { once: true })) : null;

export class Queues {
  constructor({ ask, now, nameOf, lostOf, changed }) {
    Object.assign(this, { ask, now, nameOf, lostOf, changed });
    this.known = new Map(); // `{queue, missing}` by call server and name; `missing`: since when it is not known
    this.cursor = "";
  }

  // A long poll tells of changes at once, whatever queues there are or will be: a stream has to name them.
  async run() {
    for (;;) {
      await visible();
      const again = await this.poll().catch(() => RETRY_MS);
      if (again === null) return;
      await new Promise((wake) => setTimeout(wake, again));
    }
  }

  // Milliseconds until the next one; null if the user may not see queues.
  async poll() {
    const path = this.cursor ? `queues?since=${encodeURIComponent(this.cursor)}&wait=${WAIT_S}` : "queues";
    const response = await this.ask(path, { signal: AbortSignal.timeout(2 * WAIT_S * 1000) });
    if (response.status === 403 || response.status === 404) return null;
    if (!response.ok) {
      this.cursor = "";
      if (response.status === 503) this.take([], true);
      return RETRY_MS;
    }
    const { queues, full, cursor } = await response.json();
    this.cursor = cursor;
    this.take(queues, full);
    return 0;
  }

  // A queue of a call server that is not live stays, as not known.
  take(queues, full) {
    const told = new Map(queues.map((queue) => [`${queue.callServer} ${queue.name}`, queue]));
    if (full) for (const [key, known] of this.known) if (!told.has(key)) known.missing ??= Date.now();
    for (const [key, queue] of told) {
      if (!queue.removed) this.known.set(key, { queue, missing: null });
      else if (queue.live) this.known.delete(key);
      else if (this.known.has(key)) this.known.get(key).missing ??= Date.now();
    }
    this.changed();
    this.show();
  }

  show() {
    const section = $("#queues");
    section.hidden = !this.known.size;
    section.replaceChildren(...[...this.known.values()].map(({ queue, missing }) => this.card(queue, missing)));
    this.tick();
  }

  tick() {
    for (const element of document.querySelectorAll("#queues [data-since]")) element.textContent = age(this.now() - element.dataset.since);
  }

  card(queue, missing) {
    const lost = this.lostOf(queue.callServer) ?? (missing && { since: missing, why: "Asterisk does not tell its queues" });
    const members = queue.members.map((member) => this.member(member)).sort((a, b) => a.order - b.order);
    const sum = (kind) => members.filter((member) => member.kind === kind).length;
    const waiting = queue.callers.length;
    return h(
      "article",
      { class: `queue${lost ? " unknown" : ""}` },
      h("h2", {}, h("bdi", {}, queue.name), h("small", {}, "queue")),
      lost && h("p", { class: "lost" }, `Unknown since ${clock(lost.since)}: ${lost.why}`),
      h(
        "div",
        { class: "sums" },
        number(waiting, "waiting", waiting ? "waiting" : ""),
        number(sum("free"), "free"),
        sum("busy") > 0 && number(sum("busy"), "busy"),
        sum("hold") > 0 && number(sum("hold"), "paused"),
        sum("off") > 0 && number(sum("off"), "away"),
      ),
      waiting > 0 && h("ol", { "aria-label": "Waiting callers" }, limited(queue.callers, ({ position, waitingSince, callerId }) =>
        h("li", {}, h("bdi", {}, `${position}. ${callerId ?? "Caller"}`), since(waitingSince)))),
      h("ul", { "aria-label": "Members" }, limited(members, ({ row }) => row)),
    );
  }

  member({ extension, name, state, paused, pausedReason, pausedSince, lastCallAt, inCall }) {
    const line = entryOf({ extension: extension ?? "", username: null, state, live: true, asOf: "", message: "" }).kind;
    const kind = paused ? "hold" : line === "free" && !inCall ? "free" : line === "off" || line === "unknown" ? "off" : "busy";
    const word = paused ? `Paused${pausedReason ? `: ${pausedReason}` : ""}` : inCall ? "In a call of the queue" : GROUPS[line];
    const who = (extension && this.nameOf(extension)) || extension || name;
    const shownAs = kind === "busy" ? (line === "ring" ? "ring" : "call") : kind;
    const row = h("li", { class: shownAs }, icon(ICONS[shownAs]), h("bdi", {}, who), h("span", {}, word), paused && pausedSince && since(pausedSince));
    if (lastCallAt) row.title = `Last call at ${clock(Date.parse(lastCallAt))}`;
    return { kind, row, order: ["free", "busy", "hold", "off"].indexOf(kind) };
  }
}

const number = (count, word, kind = "") => h("span", { class: kind }, h("b", {}, count), ` ${word}`);
const since = (time) => h("span", { class: "age", "data-since": Date.parse(time) });

function limited(all, make) {
  const rows = all.slice(0, MOST).map(make);
  return all.length > MOST ? [...rows, h("li", { class: "note" }, `and ${all.length - MOST} more`)] : rows;
}
