// What the person chose to see. It is kept in this browser, but for the words that are looked for.

import { $, h } from "./dom.js";
import { GROUPINGS, GROUPS, SORTS } from "./state.js";

const KEY = "connector.board";

export class Choices {
  constructor(onWall, changed) {
    const stored = onWall ? {} : read();
    this.now = { text: "", kind: "", freeOnly: false, group: "none", sort: "number", ...valid(stored) };
    this.watched = new Set(Array.isArray(stored.watched) ? stored.watched.map(String) : []);
    this.changed = changed;
    const { text, free, more, kind, group, sort } = $("#choices").elements;
    kind.append(...options(Object.entries(GROUPS), (word) => word.toLowerCase()));
    group.append(...options(Object.entries(GROUPINGS), ([word]) => word.toLowerCase()));
    sort.append(...options(Object.entries(SORTS), ([word]) => word.toLowerCase()));
    [kind.value, group.value, sort.value] = [this.now.kind, this.now.group, this.now.sort];
    free.ariaPressed = String(this.now.freeOnly);
    $("#choices").addEventListener("submit", (event) => event.preventDefault());
    text.addEventListener("input", () => this.set({ text: text.value.trim().toLowerCase() }));
    free.addEventListener("click", () => {
      this.set({ freeOnly: !this.now.freeOnly });
      free.ariaPressed = String(this.now.freeOnly);
    });
    more.addEventListener("click", () => (more.ariaExpanded = String(more.ariaExpanded !== "true")));
    for (const select of [kind, group, sort]) select.addEventListener("change", () => this.set({ [select.name]: select.value }));
  }

  set(change) {
    Object.assign(this.now, change);
    this.keep();
    this.changed();
  }

  keep() {
    const { text, ...kept } = this.now;
    localStorage.setItem(KEY, JSON.stringify({ ...kept, watched: [...this.watched] }));
  }

  watch(key, on) {
    if (on) this.watched.add(key);
    else this.watched.delete(key);
    this.keep();
    this.changed();
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function valid({ kind, freeOnly, group, sort }) {
  return {
    ...(kind in GROUPS && { kind }),
    ...(group in GROUPINGS && { group }),
    ...(sort in SORTS && { sort }),
    ...(freeOnly === true && { freeOnly }),
  };
}

const options = (entries, wordOf) => entries.map(([value, word]) => h("option", { value }, wordOf(word)));
