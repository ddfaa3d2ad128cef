// The live board: what the stream says, on tiles.

import { Choices } from "./choices.js";
import { Details } from "./details.js";
import { $, h, icon } from "./dom.js";
import { Grid } from "./grid.js";
import { ICONS } from "./icons.js";
import { OwnPresence } from "./own.js";
import { Queues } from "./queues.js";
import { ask, loggedIn, showAccount } from "./session.js";
import { offerScreen } from "./screen.js";
import { arranged, clock, counts, entryOf, GROUPS, placeOf } from "./state.js";
import { Stream } from "./stream.js";
import { NOT_TRACKED, Tiles } from "./tile.js";
import { askAsScreen, fit, screenIn } from "./wall.js";

const NO_ASTERISK = "Asterisk is not connected";
const NO_SERVICE = "no connection to the service";

const onWall = new URLSearchParams(location.search).has("wall");
document.documentElement.classList.toggle("wall", onWall);
if (onWall) await screenIn();
else await loggedIn();
const asks = onWall ? askAsScreen : ask;
let me = {};
let own = null;
if (!onWall) showAccount();

const entries = new Map(); // by extension
const servers = new Map(); // by call server: how many extensions it has, and how many of them are live
const linkLost = new Map(); // by call server: since when
let heard = false; // whether the stream said anything yet
let lostAt = null; // since when the stream is lost
let offset = 0; // the server's clock minus ours
let dirty = new Set();
let moved = false;
let frame = null;

const now = () => Date.now() + offset;

// Since when nothing is known of an entry, and why; null while its state is live.
function lost({ item }) {
  if (lostAt !== null) return { since: lostAt, why: NO_SERVICE };
  const since = linkLost.get(item.callServer);
  if (since !== undefined) return { since, why: NO_ASTERISK };
  if (item.live) return null;
  return { since: Date.parse(item.asOf) - offset, why: silent(item.callServer) ? NO_ASTERISK : NOT_TRACKED };
}

// No extension of it is live. One alone says nothing of its call server.
function silent(callServer) {
  const { all, live } = servers.get(callServer) ?? { all: 0, live: 0 };
  return all > 1 && !live;
}

const tiles = new Tiles({ lost, now, dials: !onWall });
const grid = new Grid($("#grid"), { make: tiles.make, update: tiles.update, open });
const choices = new Choices(onWall, () => later(true));
const details = new Details({ ask: asks, now, lost, choices });
const queues = new Queues({ ask: asks, now, nameOf: (extension) => entries.get(extension)?.item.username, lostOf: serverLost, changed: () => onWall && later(true) });

function open(key) {
  if (onWall || !entries.has(key)) return;
  details.open(key);
  details.show(entries);
}

// Who looks: tiles need not wait for it.
async function introduce() {
  const response = await ask("me").catch(() => null);
  if (!response?.ok) return setTimeout(introduce, 2000);
  me = await response.json();
  tiles.own = me._id;
  details.admin = me.roles.includes("admin");
  if (details.admin) offerScreen(asks);
  if (me.extension) own = new OwnPresence(asks);
  for (const { item } of entries.values()) if (own && item.userId === me._id) own.show(item);
  refresh();
}

function serverLost(callServer) {
  if (lostAt !== null) return { since: lostAt, why: NO_SERVICE };
  const since = linkLost.get(callServer);
  return since === undefined ? null : { since, why: NO_ASTERISK };
}

function take(item) {
  const before = entries.get(item.extension);
  if (before) count(before.item, -1);
  if (item.deleted) {
    moved ||= entries.delete(item.extension);
    return;
  }
  const entry = entryOf(item, before);
  count(item, 1);
  entries.set(entry.key, entry);
  dirty.add(entry.key);
  moved ||= !before || placeOf(before, choices.now) !== placeOf(entry, choices.now);
  if (before && before.word !== entry.word && choices.watched.has(entry.key)) announce(entry);
  if (own && item.userId === me._id) own.show(item);
}

function count({ callServer, live }, change) {
  const { all, live: some } = servers.get(callServer) ?? { all: 0, live: 0 };
  servers.set(callServer, { all: all + change, live: some + (live ? change : 0) });
  if (live && change > 0) linkLost.delete(callServer);
}

function event(name, data) {
  if (name === "snapshot") {
    entries.clear();
    servers.clear();
    linkLost.clear();
    moved = true;
    data.presence.forEach(take);
  } else if (name === "change") {
    data.presence.forEach(take);
  } else if (name === "link") {
    if (data.live) linkLost.delete(data.callServer);
    else if (!linkLost.has(data.callServer)) linkLost.set(data.callServer, Date.now());
    refresh();
  }
  later();
}

function live() {
  if (heard && lostAt === null) return;
  [heard, lostAt] = [true, null];
  refresh();
}

function lose() {
  if (lostAt !== null) return;
  lostAt = Date.now();
  refresh();
}

// What is known of all changed at once.
function refresh() {
  for (const [key, tile] of grid.tiles) if (entries.has(key)) tiles.update(tile, entries.get(key));
  queues.show();
  details.show(entries);
  showConnection();
}

function showConnection() {
  if (!heard && lostAt === null) return;
  const gone = [...servers.keys()].filter((name) => linkLost.has(name) || silent(name));
  const since = Math.min(...gone.map((name) => linkLost.get(name) ?? sinceOf(name)));
  const element = $("#connection");
  let text = "Live";
  if (lostAt !== null) text = `Not live since ${clock(lostAt)}: the service does not answer. Connecting again…`;
  else if (gone.length) text = `${NO_ASTERISK} since ${clock(since)}${servers.size > 1 ? `: ${gone.join(", ")}` : ""}`;
  if (element.textContent === text) return;
  element.className = text === "Live" ? "live" : "lost";
  element.replaceChildren(icon(text === "Live" ? ICONS.free : ICONS.off), h("span", {}, text));
}

function sinceOf(server) {
  const times = [...entries.values()].filter(({ item }) => item.callServer === server).map(({ item }) => Date.parse(item.asOf) - offset);
  return times.reduce((a, b) => Math.max(a, b), 0);
}

function announce(entry) {
  $("#watched").textContent = `${entry.item.username ?? ""} ${entry.key}: ${entry.word}`;
}

function later(all = false) {
  moved ||= all;
  frame ??= requestAnimationFrame(render);
}

function render() {
  frame = null;
  if (moved) arrange();
  else for (const key of dirty) grid.patch(entries.get(key));
  [dirty, moved] = [new Set(), false];
  showCounts();
  showConnection();
  if (onWall) fit(grid);
  details.show(entries);
}

function arrange() {
  const groups = arranged([...entries.values()], choices.now, choices.watched);
  grid.arrange(groups);
  $("#empty").hidden = groups.length > 0;
  $("#empty").textContent = entries.size ? "Nobody matches what is chosen above." : "There are no extensions.";
}

if (onWall) addEventListener("resize", () => later(true));

function showCounts() {
  const known = counts(lostAt === null ? entries.values() : []);
  const parts = Object.entries(GROUPS).filter(([kind]) => known[kind]);
  $("#counts").replaceChildren(
    ...parts.map(([kind, word]) => h("span", {}, icon(ICONS[kind]), h("b", {}, known[kind]), word.toLowerCase())),
  );
}

setInterval(() => {
  for (const [key, tile] of grid.tiles) if (entries.has(key)) tiles.tick(tile, entries.get(key));
  queues.tick();
  details.tick();
}, 1000);

if (!onWall) introduce();
queues.run();
new Stream({
  open: (options) => asks("presence/stream", options),
  event,
  live,
  lost: lose,
  serverTime: (difference) => (offset = Math.abs(difference) > 2000 ? difference : 0),
}).run();
