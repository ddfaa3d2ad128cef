// Numbers to call: the phone's tab takes them. Where none is open, a new one does.

import { h, icon } from "./dom.js";
import { ICONS } from "./icons.js";
import { handOver } from "./phone-channel.js";
import { session } from "./session.js";

const TAB = "connector-phone";

// A link that calls a number in the phone's tab.
export function dialLink(number, properties = {}, ...words) {
  const href = `phone?dial=${encodeURIComponent(number)}`;
  const link = h("a", { class: "dial", href, target: TAB, "aria-label": `Call ${number}`, title: `Call ${number}`, ...properties }, icon(ICONS.call), ...words);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    dial(number, link.href);
  });
  return link;
}

// A phone that is open already keeps its registration and its calls: a navigation would end them.
async function dial(number, href) {
  if (!(await handOver(session().userId, number))) open(href, TAB);
}
