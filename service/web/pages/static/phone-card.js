// The card of one call: who it is, what it does, and the buttons for it.

import { h } from "./dom.js";
import { duration, peer } from "./phone-number.js";

// What a call does, in words. `busy`: another call is open.
export function doing(call, busy) {
  if (call.phase === "calling") return "Connecting…";
  if (call.phase === "ringing") return call.incoming ? (busy ? "Waiting call" : "Calls you") : "Rings";
  if (call.phase === "ended") return call.why;
  if (call.held) return "On hold";
  return [call.heldByPeer && "The other party holds the call", call.muted && "You are muted"].filter(Boolean).join(". ") || "In call";
}

// The buttons: name of the action, label, and how it looks.
function buttons(call, others) {
  const speaking = others.some((other) => other.phase === "talking" && !other.held);
  if (call.phase === "ended") return [call.number && ["again", "Call back"], ["dismiss", "Dismiss"]].filter(Boolean);
  if (call.phase === "ringing" && call.incoming) {
    return [["answer", speaking ? "Hold and answer" : "Answer", "good"], ["end", "Refuse", "bad"]];
  }
  if (call.phase !== "talking") return [["end", "Hang up", "bad"]];
  const hold = call.held && speaking ? ["hold", "Swap"] : ["hold", "Hold", "", call.held];
  return [["mute", "Mute", "", call.muted], hold, ["transfer", "Transfer", "", call.transferring], ["end", "Hang up", "bad"]];
}

function button([action, label, look = "", pressed], act) {
  const state = pressed === undefined ? {} : { "aria-pressed": String(Boolean(pressed)) };
  return h("button", { type: "button", "data-action": action, class: look, onclick: () => act(action), ...state }, label);
}

function transferForm(call, act) {
  const field = h("input", { id: `${call.id}-to`, type: "tel", autocomplete: "off", required: true, maxlength: 64 });
  const submit = (event) => (event.preventDefault(), act("transferTo", field.value));
  return h(
    "form",
    { class: "transfer", onsubmit: submit },
    h("label", { for: field.id }, "Transfer to"),
    field,
    h("button", { type: "submit" }, "Transfer now"),
    h("p", { class: "note" }, call.transfer || "You leave the call; the other party is connected with the number."),
  );
}

// A card of its own for each call, made again only when something but the time differs, with the focus where it was.
export class Card {
  #shape = "";

  constructor(call, act) {
    this.call = call;
    this.act = act;
    this.time = h("span", { class: "time" });
    this.element = h("article", { class: "call", "aria-labelledby": `${call.id}-who` });
  }

  show(others) {
    const { call } = this;
    const said = doing(call, others.length > 0);
    const offered = buttons(call, others);
    const shape = JSON.stringify([said, offered, call.phase, call.name, call.number, call.transferring, call.transfer]);
    if (shape !== this.#shape) this.#make(said, offered);
    this.#shape = shape;
    this.tick();
  }

  tick() {
    const { talkingSince, phase, talkedFor } = this.call;
    const seconds = phase === "ended" ? talkedFor : (Date.now() - talkingSince) / 1000;
    this.time.textContent = talkingSince === null ? "" : duration(seconds);
  }

  #make(said, offered) {
    const { call, act, element } = this;
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.action : "";
    const typed = element.querySelector("form input")?.value;
    const perform = (action, value) => act(action, call, value);
    element.dataset.phase = call.held ? "held" : call.phase;
    element.replaceChildren(
      h("h2", { id: `${call.id}-who` }, h("bdi", {}, peer(call))),
      h("p", { class: "doing" }, h("span", {}, said), this.time),
      h("div", { class: "actions" }, offered.map((each) => button(each, perform))),
      ...(call.transferring && call.phase === "talking" ? [transferForm(call, perform)] : []),
    );
    const field = element.querySelector("form input");
    if (field && typed === undefined) return field.focus(); // it was asked for just now
    if (field) field.value = typed;
    if (focused === "") return;
    const next = focused === undefined ? field : element.querySelector(`[data-action="${focused}"]`);
    (next ?? element.querySelector("button"))?.focus();
  }
}
