// One extension, opened: its registrations and devices, its history, and why its state is unknown.

import { dialLink } from "./dial.js";
import { h, icon } from "./dom.js";
import { ICONS } from "./icons.js";
import { authHeaders } from "./session.js";
import { age, clock, PRESENCES } from "./state.js";

const HISTORY_DAYS = 7;
const HISTORY_ROWS = 30;
const STATUS_EVERY_S = 5; // a phone's program and address may come after the change of its line

export class Details {
  constructor({ ask, now, lost, choices }) {
    Object.assign(this, { ask, now, lost, choices });
    this.admin = false;
    this.key = null;
  }

  open(key) {
    this.key = key;
    this.drawn = null;
    const closes = h("button", { type: "button", "aria-label": "Close", onclick: () => this.dialog.close() }, icon(ICONS.close));
    this.heading = h("h2", { id: "details-title" });
    this.line = h("div", { class: "state" });
    this.facts = h("dl");
    const star = h("button", { type: "button", "aria-pressed": String(this.choices.watched.has(key)) }, icon(ICONS.star), " Watch");
    star.addEventListener("click", () => {
      const on = star.ariaPressed !== "true";
      star.ariaPressed = String(on);
      this.choices.watch(key, on);
    });
    this.status = h("div");
    this.history = h("div", {}, h("p", { class: "note" }, "Loading…"));
    this.dialog = h(
      "dialog",
      { class: "details", "aria-labelledby": "details-title" },
      h("header", {}, this.heading, closes),
      this.line,
      h("div", { class: "actions" }, dialLink(key, {}, "Call"), star),
      this.facts,
      this.status,
      h("h3", {}, `Registrations of the last ${HISTORY_DAYS} days`),
      this.history,
    );
    this.dialog.addEventListener("close", () => {
      this.key = null;
      this.dialog.remove();
    });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.outside(event) && this.dialog.close());
    document.body.append(this.dialog);
    this.showHistory(key);
    this.dialog.showModal();
  }

  outside({ clientX, clientY }) {
    const box = this.dialog.getBoundingClientRect();
    return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
  }

  // The newest of the opened extension. Its status is asked for again when it changed.
  show(entries) {
    if (this.key === null) return;
    const entry = entries.get(this.key);
    if (!entry) return this.dialog.close();
    const drawn = JSON.stringify([entry.item, this.lost(entry)]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.entry = entry;
    const { item } = entry;
    const lost = this.lost(entry);
    const kind = lost ? "unknown" : entry.kind;
    this.heading.replaceChildren(h("bdi", {}, item.username ?? "Nobody"), h("small", {}, entry.key));
    this.line.className = `state ${kind}`;
    this.age = h("span");
    this.line.replaceChildren(icon(ICONS[kind]), h("span", {}, lost ? `Unknown since ${clock(lost.since)}: ${lost.why}` : entry.word), this.age);
    const answers = item.registered && { true: "answers", false: "does not answer" }[item.reachable];
    const phone = { true: "registered", false: "none registered" }[item.registered] ?? "not known";
    this.facts.replaceChildren(
      ...fact("Presence", PRESENCES[item.presence]?.[0] ?? "Not set"),
      ...(item.message ? fact("Message", item.message) : []),
      ...fact("Phone", lost ? "not known" : answers ? `${phone}, ${answers}` : phone),
      ...(item.roundTripMs !== null && !lost ? fact("Round trip", `${item.roundTripMs.toFixed(1)} ms`) : []),
      ...fact("Call server", item.callServer),
      ...fact("Last change", day(Date.parse(item.asOf))),
    );
    this.showStatus(this.key);
    this.tick();
  }

  tick() {
    if (this.key === null || !this.entry) return;
    this.age.textContent = this.lost(this.entry) ? "" : age(this.now() - this.entry.since);
    if (Date.now() - this.askedAt > 1000 * STATUS_EVERY_S) this.showStatus(this.key);
  }

  // `/status` is for administrators: its 401 does not mean that the session has ended.
  async showStatus(key) {
    const asked = (this.askedAt = Date.now());
    if (!this.admin) return this.status.replaceChildren();
    const response = await fetch(`status/${encodeURIComponent(key)}`, { headers: authHeaders(), cache: "no-store" }).catch(() => null);
    if (this.key !== key || this.askedAt !== asked) return;
    if (!response?.ok) return this.status.replaceChildren(h("p", { class: "note" }, response ? "Devices are shown at the operators' port only." : ""));
    const { reason, devices, queues } = await response.json();
    if (this.askedAt !== asked) return; // a newer answer may be there already
    this.status.replaceChildren(
      ...(reason ? [h("h3", {}, "Why no phone answers"), h("p", { class: "why" }, `${reason.cause} ${reason.nextStep}`)] : []),
      h("h3", {}, "Devices"),
      h("ul", {}, devices.map(device)),
      ...(queues?.length ? [h("h3", {}, "Queues"), h("p", {}, queues.join(", "))] : []),
    );
  }

  async showHistory(key) {
    const path = `presence/${encodeURIComponent(key)}/history?days=${HISTORY_DAYS}`;
    const response = await this.ask(path).catch(() => null);
    if (this.key !== key) return;
    if (!response?.ok) return this.history.replaceChildren(h("p", { class: "note" }, "The history is not available now."));
    const { changes, notObserved, losses, flapping } = await response.json();
    const rows = [...changes.map(change), ...notObserved.map(gap)].sort((a, b) => b.at - a.at).slice(0, HISTORY_ROWS);
    this.history.replaceChildren(
      h("p", { class: "note" }, `${losses} ${losses === 1 ? "loss" : "losses"}${flapping ? ": it is lost and found again and again" : ""}.`),
      h("ul", {}, rows.map(({ row }) => row)),
    );
  }
}

const fact = (name, value) => [h("dt", {}, name), h("dd", {}, h("bdi", {}, value))];

function day(time) {
  return new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

function device({ device: name, state, live, counted, phone, contacts }) {
  const label = phone?.label || phone?.kind;
  const shown = live ? state : "Unknown";
  return h(
    "li",
    {},
    h("bdi", {}, name),
    ` – ${shown}${counted ? "" : ", not counted"}`,
    label && label !== "other" && h("small", {}, h("bdi", {}, label)),
    (contacts ?? []).map(({ address, userAgent, reachable, roundTripMs }) =>
      h("small", {}, h("bdi", {}, [address, userAgent, roundTripMs === null ? null : `${roundTripMs.toFixed(1)} ms`, reachable === false ? "does not answer" : null].filter(Boolean).join(" · "))),
    ),
    contacts?.length === 0 && h("small", {}, "not registered"),
  );
}

function change({ at, registered, exact }) {
  const word = { true: "registered", false: "lost" }[registered] ?? "not known from here on";
  return { at: Date.parse(at), row: h("li", {}, exact || registered === null ? word : `found ${word}`, h("small", {}, day(Date.parse(at)))) };
}

function gap({ since, until }) {
  return { at: Date.parse(since), row: h("li", {}, "not observed", h("small", {}, `${day(Date.parse(since))} to ${day(Date.parse(until))}`)) };
}
