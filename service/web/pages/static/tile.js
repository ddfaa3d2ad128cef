// A tile of the board: who it is, what the line does, since when, and what its user says. Every text is set as text.

import { dialLink } from "./dial.js";
import { $, h, icon } from "./dom.js";
import { ICONS } from "./icons.js";
import { age, clock, PRESENCES } from "./state.js";

export const NOT_TRACKED = "its state is not known";

// `lost(entry)`: `{since, why}` if nothing is known of the entry now, whatever the last news was; else null.
export class Tiles {
  constructor({ lost, now, dials }) {
    Object.assign(this, { lost, now, dials });
    this.own = undefined; // the id of the person who looks
  }

  make = (entry) => {
    const tile = h(
      "div",
      { role: "gridcell", "data-key": entry.key, tabindex: "-1" },
      h("div", { class: "top" }, h("b", {}, h("bdi", {}, entry.key)), this.dials && dialLink(entry.key, { tabindex: "-1" })),
      h("bdi", { class: "name" }),
      h("div", { class: "state" }, h("span", { class: "sign" }), h("span", { class: "word" }), h("span", { class: "age" })),
      h("div", { class: "says" }, h("span", { class: "presence" }), h("bdi", { class: "message" })),
    );
    return tile;
  };

  update = (tile, entry) => {
    const lost = this.lost(entry);
    const kind = lost ? "unknown" : entry.kind;
    const { item } = entry;
    tile.className = `tile ${kind}`;
    const name = item.username ?? "Nobody";
    put($(".name", tile), this.own === item.userId && item.userId ? `${name} (you)` : name);
    $(".name", tile).classList.toggle("nobody", item.username === null);
    const sign = $(".sign", tile);
    if (sign.dataset.kind !== kind) {
      sign.dataset.kind = kind;
      sign.replaceChildren(icon(ICONS[kind]));
    }
    put($(".word", tile), lost ? `Unknown since ${clock(lost.since)}: ${lost.why}` : entry.word);
    put($(".message", tile), lost ? "" : item.message);
    this.presence($(".presence", tile), lost ? null : PRESENCES[item.presence], item.message);
    this.tick(tile, entry);
  };

  // Beside a message there is room for the icon alone.
  presence(element, known, message) {
    const [word, sign] = known ?? [""];
    if (element.textContent !== word) element.replaceChildren(...(known ? [icon(ICONS[sign]), h("span", {}, word)] : []));
    element.title = word;
    element.lastChild?.classList?.toggle("unseen", message !== "");
  }

  // Only the time goes on.
  tick(tile, entry) {
    put($(".age", tile), this.lost(entry) ? "" : age(this.now() - entry.since));
  }
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
