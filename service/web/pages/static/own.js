// One's own presence, set from the board. The tile shows it when Asterisk has it.

import { $, h } from "./dom.js";
import { PRESENCES } from "./state.js";

const SAID = { 404: "You have no extension.", 429: "Too many changes. Try again in a minute.", 503: "Asterisk does not answer: try again." };

export class OwnPresence {
  constructor(ask) {
    this.ask = ask;
    const none = h("option", { value: "", disabled: true, hidden: true }, "Choose…");
    this.select = h("select", { name: "presence" }, none, Object.entries(PRESENCES).map(([value, [word]]) => h("option", { value }, word)));
    this.message = h("input", { name: "message", maxlength: "200", placeholder: "Message", "aria-label": "Message", autocomplete: "off" });
    this.said = h("p", { class: "said", role: "status" });
    const form = $("#own");
    form.append(h("label", {}, "I am", this.select), this.message, h("button", { type: "submit" }, "Set"), this.said);
    form.hidden = false;
    form.addEventListener("input", () => (this.edited = true));
    form.addEventListener("submit", (event) => this.set(event));
  }

  // What the stream says, unless the person is about to change it.
  show({ presence, message, live }) {
    if (this.edited || !live) return;
    if (presence in PRESENCES) this.select.value = presence;
    else this.select.value = "";
    this.message.value = message;
  }

  async set(event) {
    event.preventDefault();
    const body = { presence: this.select.value, message: this.message.value.trim() };
    if (!body.presence) return this.select.focus();
    this.said.textContent = "Setting…";
    const response = await this.ask("presence", { method: "PUT", body }).catch(() => null);
    this.edited &&= !response?.ok;
    this.said.textContent = response?.ok ? "Set" : (SAID[response?.status] ?? "Not set: try again.");
    if (response?.ok) setTimeout(() => (this.said.textContent = ""), 3000);
  }
}
