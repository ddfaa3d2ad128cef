// Numbers to call: the phone's tab takes them. Where none is open, a new one does.

import { h, icon } from "./dom.js";
import { ICONS } from "./icons.js";
import { session } from "./session.js";

const TAB = "connector-phone";
const TAKEN_WITHIN_MS = 200;

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

// A phone that is open already keeps its registration and its calls: a navigation would end them. Each user has a channel
// of their own, because two can be logged in in tabs of one browser.
async function dial(number, href) {
  const channel = new BroadcastChannel(`${TAB}:${session().userId}`);
  const taken = new Promise((done) => {
    channel.onmessage = ({ data }) => data?.taken === number && done(true);
    setTimeout(done, TAKEN_WITHIN_MS, false);
  });
  channel.postMessage({ dial: number });
  if (!(await taken)) open(href, TAB);
  channel.close();
}
