// The queues: who waits since when, and who could take the call.

import { $, h, icon } from "./dom.js";
import { ICONS } from "./icons.js";
import { age, clock, entryOf, GROUPS } from "./state.js";

const EVERY_MS = 3000;
const MOST = 8; // callers and members that are listed; all are counted

export class Queues {
  constructor({ ask, now, nameOf, lostOf, changed }) {
    Object.assign(this, { ask, now, nameOf, lostOf, changed });
    this.known = new Map(); // `[queue, since when it is missing]` by call server and name
    this.etag = "";
  }

  async run() {
    for (;;) {
      if (!document.hidden && (await this.poll().catch(() => true)) === false) return;
      await new Promise((wake) => setTimeout(wake, EVERY_MS));
    }
  }

  // False if the user may not see queues.
  async poll() {
    const response = await this.ask("queues", { headers: this.etag ? { "If-None-Match": this.etag } : {}, signal: AbortSignal.timeout(10_000) });
    if (response.status === 403 || response.status === 404) return false;
    if (response.status === 503) this.take([]);
    if (!response.ok) return true;
    this.etag = response.headers.get("ETag") ?? "";
    this.take((await response.json()).queues);
    return true;
  }

  // A queue that is missing stays, as not known: its call server is not live.
  take(queues) {
    const found = new Map(queues.map((queue) => [`${queue.callServer} ${queue.name}`, [queue, null]]));
    for (const [key, [queue, since]] of this.known) if (!found.has(key)) found.set(key, [queue, since ?? Date.now()]);
    this.known = found;
    this.changed();
    if (!queues.length) this.etag = "";
    this.show();
  }

  show() {
    const section = $("#queues");
    section.hidden = !this.known.size;
    section.replaceChildren(...[...this.known.values()].map(([queue, missing]) => this.card(queue, missing)));
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
