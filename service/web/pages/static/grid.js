// A grid of tiles of which only those near the screen exist, so tens of thousands cost no more than a hundred.
//
// It is one stop for the Tab key: arrows, Home, End, Page Up and Page Down move inside, Enter and Space open a tile.

import { h } from "./dom.js";

const MARGIN_ROWS = 4;

export class Grid {
  // `make(entry)` makes a tile, `update(tile, entry)` puts an entry into one, `open(key)` is called for a chosen tile.
  constructor(element, { make, update, open }) {
    Object.assign(this, { element, make, update, open });
    this.groups = [];
    this.rows = [];
    this.built = new Map(); // by index of the row
    this.tiles = new Map(); // by key
    this.active = null;
    this.columns = 0;
    element.addEventListener("keydown", (event) => this.pressed(event));
    element.addEventListener("click", (event) => this.clicked(event));
    element.addEventListener("focusin", (event) => this.activate(event.target.closest("[data-key]")?.dataset.key));
    addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.resized()).observe(element);
  }

  // Groups of entries, `[title, entries]`. A title is shown if there are several groups.
  arrange(groups) {
    this.groups = groups;
    this.layout();
  }

  // Put a changed entry into its tile, if that exists.
  patch(entry) {
    const row = this.rows[this.rowOf?.get(entry.key)];
    if (row) {
      const column = row.entries.findIndex((each) => each.key === entry.key);
      row.entries[column] = row.group[row.start + column] = entry; // a window that is resized makes its rows again
    }
    const tile = this.tiles.get(entry.key);
    if (tile) this.update(tile, entry);
  }

  resized() {
    const style = getComputedStyle(this.element);
    const [least, gap] = ["--tile-least", "--gap"].map((name) => this.pixels(style, name));
    const columns = Math.max(1, Math.floor((this.element.clientWidth + gap) / (least + gap)));
    const height = this.pixels(style, "--tile-height") + gap;
    if (columns !== this.columns || height !== this.tileHeight) this.layout();
    else this.soon();
  }

  pixels(style, name) {
    return parseFloat(style.getPropertyValue(name)) * parseFloat(getComputedStyle(document.documentElement).fontSize);
  }

  layout() {
    const style = getComputedStyle(this.element);
    const [least, gap, tile, title] = ["--tile-least", "--gap", "--tile-height", "--title-height"].map((name) => this.pixels(style, name));
    this.tileHeight = tile + gap;
    this.columns = Math.max(1, Math.floor((this.element.clientWidth + gap) / (least + gap)));
    this.rows = [];
    this.rowOf = new Map();
    let top = 0;
    for (const [name, entries] of this.groups) {
      if (this.groups.length > 1) {
        this.rows.push({ top, title: name, count: entries.length, entries: [] });
        top += title;
      }
      for (let start = 0; start < entries.length; start += this.columns) {
        const some = entries.slice(start, start + this.columns);
        for (const { key } of some) this.rowOf.set(key, this.rows.length);
        this.rows.push({ top, entries: some, group: entries, start });
        top += this.tileHeight;
      }
    }
    this.element.style.height = `${top}px`;
    this.element.style.setProperty("--columns", this.columns);
    this.element.setAttribute("aria-rowcount", this.rows.length);
    this.element.setAttribute("aria-colcount", this.columns);
    if (!this.rowOf.has(this.active)) this.active = null;
    const focused = this.element.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : null;
    this.built.clear();
    const kept = this.tiles;
    this.tiles = new Map();
    const rows = [];
    for (const index of this.visible()) rows.push(this.build(index, kept));
    this.element.replaceChildren(...rows);
    this.settle();
    if (focused) this.focus(this.rowOf.has(focused) ? focused : this.active);
  }

  // The indexes of the rows near the screen.
  visible() {
    const { top } = this.element.getBoundingClientRect();
    const margin = MARGIN_ROWS * this.tileHeight;
    const [from, to] = [-top - margin, innerHeight - top + margin];
    const found = [];
    for (let index = this.firstBelow(from); index < this.rows.length && this.rows[index].top < to; index += 1) found.push(index);
    return found;
  }

  firstBelow(height) {
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].top < height) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.scrolled();
    });
  }

  scrolled() {
    const wanted = new Set(this.visible());
    const focused = this.element.contains(document.activeElement) ? this.rowOf.get(this.active) : undefined;
    for (const [index, row] of this.built) {
      if (wanted.has(index) || index === focused) continue;
      for (const { key } of this.rows[index].entries) this.tiles.delete(key);
      row.remove();
      this.built.delete(index);
    }
    for (const index of wanted) if (!this.built.has(index)) this.insert(index);
    this.settle();
  }

  insert(index) {
    const row = this.build(index);
    const next = [...this.element.children].find((each) => each.ariaRowIndex > index + 1);
    this.element.insertBefore(row, next ?? null);
  }

  build(index, kept = new Map()) {
    const { top, title, count, entries } = this.rows[index];
    const cells = entries.map((entry, column) => {
      const tile = kept.get(entry.key) ?? this.make(entry);
      this.update(tile, entry);
      tile.ariaColIndex = column + 1;
      this.tiles.set(entry.key, tile);
      return tile;
    });
    const row = h("div", { role: "row", "aria-rowindex": index + 1, class: title === undefined ? "row" : "row title" }, cells);
    if (title !== undefined) row.append(h("div", { role: "rowheader", "aria-colspan": this.columns }, title, h("span", {}, count)));
    row.style.transform = `translateY(${top}px)`;
    this.built.set(index, row);
    return row;
  }

  // Exactly one tile can be reached by Tab: the active one, or the first on the screen.
  settle() {
    if (!this.tiles.has(this.active)) {
      const { top } = this.element.getBoundingClientRect();
      const first = this.rows.findIndex((row, index) => row.entries.length && row.top + top >= 0 && this.built.has(index));
      this.active = this.rows[first]?.entries[0].key ?? this.tiles.keys().next().value ?? null;
    }
    for (const [key, tile] of this.tiles) tile.tabIndex = key === this.active ? 0 : -1;
  }

  activate(key) {
    if (key === undefined || key === this.active) return;
    const before = this.tiles.get(this.active);
    if (before) before.tabIndex = -1;
    this.active = key;
    this.tiles.get(key).tabIndex = 0;
  }

  focus(key) {
    const index = this.rowOf.get(key);
    if (index === undefined) return;
    if (!this.built.has(index)) {
      const { top } = this.element.getBoundingClientRect();
      scrollTo({ top: scrollY + top + this.rows[index].top - innerHeight / 2 });
      this.scrolled();
      if (!this.built.has(index)) this.insert(index);
    }
    const tile = this.tiles.get(key);
    this.activate(key);
    tile.focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest" });
  }

  clicked(event) {
    const tile = event.target.closest("[data-key]");
    if (tile && !event.target.closest("a")) this.open(tile.dataset.key);
  }

  pressed(event) {
    if (event.target.closest("a") || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") this.open(this.active);
    else if (!this.move(event.key, event.ctrlKey)) return;
    event.preventDefault();
  }

  move(key, whole) {
    const full = [...this.rows.keys()].filter((index) => this.rows[index].entries.length);
    const place = full.indexOf(this.rowOf.get(this.active));
    if (place < 0) return false;
    const { entries } = this.rows[full[place]];
    const column = entries.findIndex((entry) => entry.key === this.active);
    const page = Math.max(1, Math.floor(innerHeight / this.tileHeight) - 1);
    const across = getComputedStyle(this.element).direction === "rtl" ? -1 : 1;
    const to = {
      ArrowRight: [place, column + across],
      ArrowLeft: [place, column - across],
      ArrowDown: [place + 1, column],
      ArrowUp: [place - 1, column],
      PageDown: [Math.min(place + page, full.length - 1), column],
      PageUp: [Math.max(place - page, 0), column],
      Home: [whole ? 0 : place, 0],
      End: [whole ? full.length - 1 : place, Infinity],
    }[key];
    if (!to) return false;
    const row = this.rows[full[to[0]]];
    if (row && to[1] >= 0) {
      const last = row.entries.length - 1;
      if (key !== "ArrowRight" || to[1] <= last) this.focus(row.entries[Math.min(to[1], last)].key);
    }
    return true;
  }
}
