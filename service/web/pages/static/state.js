// What an extension's item means to people: its kind, words, times, order and filters. Nothing here touches the page.

const KINDS = {
  "Not in use": ["free", "Free"],
  "In use": ["call", "In a call"],
  Busy: ["call", "Busy"],
  Ringing: ["ring", "Ringing"],
  "Ring+Inuse": ["ring", "In a call, ringing"],
  "On Hold": ["hold", "On hold"],
  Unavailable: ["off", "Unavailable"],
  Invalid: ["off", "Not in Asterisk"],
};
const UNKNOWN = ["unknown", "Unknown"];

export const PRESENCES = {
  available: ["Available", "free"],
  away: ["Away", "clock"],
  xa: ["Away for long", "moon"],
  chat: ["Open to chat", "chat"],
  dnd: ["Do not disturb", "dnd"],
  unavailable: ["Not available", "off"],
};

// Kinds in the order of urgency, with the words of groups, filters and counts.
export const GROUPS = {
  ring: "Ringing",
  call: "In a call",
  hold: "On hold",
  free: "Free",
  off: "Unavailable",
  unknown: "Unknown",
};
const ORDER = Object.keys(GROUPS);
const NOT_FREE = new Set(["away", "xa", "dnd", "unavailable"]);

const pad = (number) => String(number).padStart(2, "0");
const padded = (text) => text.replace(/\d+/g, (digits) => digits.padStart(16, "0"));

export function clock(time) {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(pad).join(":");
}

export function age(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [minutes, hours, days] = [60, 3600, 86400].map((each) => Math.floor(seconds / each));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${pad(minutes % 60)} min`;
  return `${minutes}:${pad(seconds % 60)}`;
}

// An entry of the board: an item, and since when it has been in its state. `before`: its entry until now.
export function entryOf(item, before) {
  const [kind, word] = (item.live && KINDS[item.state]) || UNKNOWN;
  const same = before && before.kind === kind && before.word === word;
  const name = item.username ?? "";
  return {
    item,
    kind,
    word,
    key: item.extension,
    since: same ? before.since : Date.parse(item.asOf),
    free: kind === "free" && !NOT_FREE.has(item.presence),
    sortNumber: padded(item.extension),
    sortName: name ? name.normalize("NFKD").toLowerCase() : "\uffff",
    text: `${item.extension} ${name} ${item.message}`.toLowerCase(),
  };
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const byNumber = (a, b) => compare(a.sortNumber, b.sortNumber);
const byAge = (a, b) => a.since - b.since || byNumber(a, b);
export const SORTS = {
  number: ["Number", byNumber],
  name: ["Name", (a, b) => compare(a.sortName, b.sortName) || byNumber(a, b)],
  state: ["State", (a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || byAge(a, b)],
  longest: ["Longest in its state", byAge],
};

const presenceOf = (entry) => PRESENCES[entry.item.presence]?.[0] ?? "No presence";
export const GROUPINGS = {
  none: ["Nothing", null],
  state: ["State", (entry) => GROUPS[entry.kind], Object.values(GROUPS)],
  presence: ["Presence", presenceOf, [...Object.values(PRESENCES).map(([word]) => word), "No presence"]],
  server: ["Call server", (entry) => entry.item.callServer],
};

// Whether an entry is shown under these choices.
export function shown(entry, { text, kind, freeOnly }) {
  return (!freeOnly || entry.free) && (!kind || entry.kind === kind) && (!text || entry.text.includes(text));
}

// All that the place of an entry depends on: while it stays the same, only its tile changes.
export function placeOf(entry, choices) {
  if (!shown(entry, choices)) return "";
  const group = GROUPINGS[choices.group][1]?.(entry) ?? "";
  const sort = { number: "", name: entry.sortName, state: `${entry.kind} ${entry.since}`, longest: entry.since }[choices.sort];
  return `${group}\n${sort}`;
}

// The groups to show, `[title, entries]`, those that are watched first.
export function arranged(entries, choices, watched) {
  const found = entries.filter((entry) => shown(entry, choices)).sort(SORTS[choices.sort][1]);
  const [, groupOf, order] = GROUPINGS[choices.group];
  const groups = new Map(order?.map((title) => [title, []]));
  for (const entry of found) {
    const title = watched.has(entry.key) ? "" : (groupOf?.(entry) ?? "Everybody");
    if (!groups.has(title)) groups.set(title, []);
    groups.get(title).push(entry);
  }
  const mine = groups.get("") ?? [];
  groups.delete("");
  const others = [...groups].filter(([, each]) => each.length);
  if (!order) others.sort(([a], [b]) => compare(a, b));
  return mine.length ? [["Watched", mine], ...others] : others;
}

export function counts(entries) {
  const found = Object.fromEntries(ORDER.map((kind) => [kind, 0]));
  for (const { kind } of entries) found[kind] += 1;
  return found;
}
