// What of the phone is on the screen. It shows a model, and reports what the person does.

import { $, h } from "./dom.js";
import { Card, doing } from "./phone-card.js";
import { KEYS, peer } from "./phone-number.js";

const TICK_MS = 500;
const LETTERS = ["", "ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ", "", "+", ""];

export class View {
  #cards = new Map();
  #act;

  // `act` gets the name of an action, and what it is about.
  constructor(act) {
    this.#act = act;
    $("#pad").append(...KEYS.map((key, n) => this.#key(key, LETTERS[n])));
    $("#dial").addEventListener("submit", (event) => (event.preventDefault(), act("dial", $("#number").value)));
    document.addEventListener("keydown", (event) => this.#typed(event));
    for (const kind of ["audioinput", "audiooutput"]) {
      $(`#${kind}`).addEventListener("change", ({ target }) => act("device", kind, target.value));
    }
    $("#test-ring").addEventListener("click", () => act("testRing"));
    $("#remove").addEventListener("click", () => act("remove"));
    setInterval(() => this.#cards.forEach((card) => card.tick()), TICK_MS);
  }

  // The state of the line. `kind`: ready, trouble or busy.
  line({ word, text, kind }) {
    $("#line").dataset.kind = kind;
    setText($("#line-word"), word);
    setText($("#line-text"), text);
  }

  calls(calls) {
    for (const [id, card] of this.#cards) if (!calls.some((call) => call.id === id)) this.#take(id, card);
    for (const call of calls) this.#card(call).show(calls.filter((other) => other !== call && other.phase !== "ended"));
    const active = calls.find((call) => call.phase === "talking" && !call.held);
    setText($("#pad-for"), active ? `Keys are sent to ${peer(active)}.` : "");
    const rings = calls.find((call) => call.phase === "ringing" && call.incoming);
    document.title = rings ? `☎ ${peer(rings)} calls` : active ? `In call: ${peer(active)}` : "Phone";
  }

  // Sentences with buttons: `[label, action, ...]` each. Nothing: no notice.
  notice(id, text, buttons = []) {
    const place = $(`#${id}`);
    place.hidden = !text;
    if (place.dataset.text === text + JSON.stringify(buttons)) return;
    place.dataset.text = text + JSON.stringify(buttons);
    const made = buttons.map(([label, ...action]) => h("button", { type: "button", onclick: () => this.#act(...action) }, label));
    place.replaceChildren(h("p", {}, text), ...(made.length ? [h("div", { class: "actions" }, made)] : []));
  }

  announce(text) {
    setText($("#announcement"), text);
  }

  mayDial(may) {
    $("#call").disabled = !may;
  }

  shown(parts) {
    for (const id of ["set-up", "telephone"]) $(`#${id}`).hidden = !parts.includes(id);
  }

  // The set-up: why a phone is needed, and the browser phones that there are.
  setUp(text, phones, mayMake) {
    setText($("#set-up-text"), text);
    $("#set-up-button").hidden = !mayMake;
    $("#set-up-button").onclick = () => this.#act("make");
    $("#other-phones").hidden = !phones.length;
    $("#other-phones ul").replaceChildren(...phones.map((phone) => this.#otherPhone(phone)));
  }

  devices(kind, list, chosen) {
    const select = $(`#${kind}`);
    const options = [["", "Default"], ...list.filter(({ id }) => id !== "default").map(({ id, label }) => [id, label])];
    select.replaceChildren(...options.map(([value, label]) => h("option", { value }, label)));
    select.value = options.some(([value]) => value === chosen) ? chosen : "";
    select.disabled = options.length < 2;
  }

  #otherPhone({ id, label, endpoint, registered }) {
    const name = label || endpoint;
    return h(
      "li",
      {},
      h("span", {}, h("bdi", {}, name), registered ? ", registered now" : ""),
      h("button", { type: "button", onclick: () => this.#act("use", id), "aria-label": `Use here: ${name}` }, "Use here"),
      h("button", { type: "button", onclick: () => this.#act("removeOther", id), "aria-label": `Remove ${name}` }, "Remove"),
    );
  }

  #card(call) {
    let card = this.#cards.get(call.id);
    if (card) return card;
    card = new Card(call, (...action) => this.#act(...action));
    this.#cards.set(call.id, card);
    $("#calls").append(card.element);
    if (call.incoming) this.announce(`${peer(call)}: ${doing(call, this.#cards.size > 1)}`);
    return card;
  }

  #take(id, card) {
    this.#cards.delete(id);
    const focused = card.element.contains(document.activeElement);
    card.element.remove();
    if (focused) $("#number").focus();
  }

  #key(key, letters) {
    const press = () => this.#act("key", key);
    return h("button", { type: "button", onclick: press, "data-key": key }, key, " ", h("small", {}, letters));
  }

  #typed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea, dialog")) return;
    if (KEYS.includes(event.key)) this.#act("key", event.key);
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
