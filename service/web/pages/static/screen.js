// A code that opens the board on a screen, for administrators.

import { $, h } from "./dom.js";
import { clock } from "./state.js";

export function offerScreen(ask) {
  $("#screen").hidden = false;
  $("#screen").addEventListener("click", () => show(ask));
}

async function show(ask) {
  const told = h("div", { role: "status" }, h("p", {}, "Making a code…"));
  const dialog = h(
    "dialog",
    { class: "plain", "aria-labelledby": "screen-title" },
    h("h2", { id: "screen-title" }, "Show on a screen"),
    told,
    h("button", { type: "button", onclick: () => dialog.close() }, "Close"),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  const response = await ask("board/codes", { method: "POST", body: {} }).catch(() => null);
  if (!response?.ok) return told.replaceChildren(h("p", {}, "No code could be made. Try again."));
  const { code, expiresAt } = await response.json();
  told.replaceChildren(
    h("p", {}, "On the screen, open ", h("b", {}, new URL("board?wall", document.baseURI).href.split("#")[0]), " and enter:"),
    h("p", { class: "code" }, code),
    h("p", { class: "note" }, `It works once, until ${clock(Date.parse(expiresAt))}. The screen sees states and names, and can change nothing.`),
  );
}
