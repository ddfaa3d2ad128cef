// The phone of a person in the browser: composes login, account, line, sounds and view.

import { $ } from "./dom.js";
import { Account, browserName } from "./phone-account.js";
import { Devices } from "./phone-devices.js";
import { Line } from "./phone-line.js";
import { handOver, takeNumbers } from "./phone-channel.js";
import { clock, dialled, duration, peer } from "./phone-number.js";
import { Sounds } from "./phone-sounds.js";
import { holdPhone } from "./phone-tab.js";
import { View } from "./phone-view.js";
import * as words from "./phone-words.js";
import { ask, authHeaders, loggedIn, showAccount } from "./session.js";

const API = new URL("api/v1/", document.baseURI);
const KEEP_ENDED_MS = 8000;

const user = await loggedIn();
showAccount();
const follow = (path, { headers, ...options }) =>
  fetch(new URL(path, API), { ...options, headers: { ...headers, ...authHeaders() }, cache: "no-store" });
const account = new Account({ ask, follow, uid: user.userId });
const devices = new Devices();
const sounds = new Sounds();
const view = new View((action, ...about) => actions[action](...about));
const service = { live: true, unreachable: false };
let number = "";
let line = null;
let used = null; // the registration info in use
let next = null; // a newer one, which waits for the end of the calls
let ended = 0; // the status that ended the watch, which waits for the end of the calls
let watch = null;
let asked = dialled(new URLSearchParams(location.search).get("dial"));
let holds = false;

const actions = {
  dial: (text) => dial(text),
  key: (key) => (active() ? active().sendDigits(key) : type(key)),
  device: (kind, id) => choose(kind, id),
  testRing: () => testRing(),
  make: () => make(),
  use: (id) => (account.remember(id), begin()),
  remove: () => remove(account.remembered),
  removeOther: (id) => remove(id),
  answer: (call) => withMicrophone(() => line.answer(call)),
  end: (call) => call.end(),
  mute: (call) => call.mute(!call.muted),
  hold: (call) => line.hold(call, !call.held),
  again: (call) => (line.forget(call), dial(call.number)),
  dismiss: (call) => line.forget(call),
  transfer: (call) => line.askTransfer(call),
  transferTo: (call, text) => transfer(call, text),
  dialAsked: () => dialAsked(),
  dropAsked: () => dropAsked(),
  takeOver: () => takeOver(),
  allowSound: () => sounds.allow().then(render),
};

const active = () => line?.open.find((call) => call.phase === "talking" && !call.held);

function type(key) {
  const field = $("#number");
  field.setRangeText(key, field.selectionStart, field.selectionEnd, "end");
}

async function dial(text) {
  const wanted = dialled(text);
  if (!wanted) return view.notice("trouble", "A number has digits, letters, * and #. Correct it, then call again.");
  if (!line?.mayDial) return view.notice("trouble", "The phone is not ready, or two calls are open already.");
  $("#number").value = "";
  return withMicrophone(() => line.dial(wanted));
}

async function withMicrophone(action) {
  try {
    await action();
    view.notice("trouble", "");
  } catch (error) {
    view.notice("trouble", words.microphone(error.name));
  }
}

function transfer(call, text) {
  const to = dialled(text);
  if (to) line.transfer(call, to);
  else line.askTransfer(call, "A number has digits, letters, * and #.");
}

// A number of the address: anybody could have made that link, so the person is asked.
function showAsked() {
  const ready = !holds || line?.mayDial;
  const buttons = ready ? [["Call", "dialAsked"], ["No", "dropAsked"]] : [["No", "dropAsked"]];
  view.notice("asked", asked ? `Call ${asked}?` : "", asked ? buttons : []);
}

function dropAsked() {
  asked = null;
  history.replaceState(null, "", location.pathname);
  showAsked();
}

async function dialAsked() {
  const wanted = asked;
  dropAsked();
  if (holds) return dial(wanted);
  const taken = await handOver(account.uid, wanted);
  return view.notice("trouble", taken ? `The other tab calls ${wanted}.` : "The other tab does not take the call.");
}

function choose(kind, id) {
  devices.choose(kind, id);
  if (kind === "audiooutput") sounds.useSpeaker(id);
  withMicrophone(() => line?.devicesChanged());
}

async function testRing() {
  await sounds.allow();
  sounds.play(null);
  sounds.play("ring");
  setTimeout(() => sounds.play(null), 1500);
}

async function showDevices() {
  for (const kind of ["audioinput", "audiooutput"]) view.devices(kind, await devices.list(kind), devices.chosen[kind]);
  $("#speaker-field").hidden = !("setSinkId" in HTMLMediaElement.prototype);
  const trouble = await devices.trouble();
  view.notice("microphone", trouble ? words.microphone(trouble) : "");
}

async function make() {
  try {
    await account.make(browserName());
  } catch (error) {
    return begin(words.setUp(error.status, error.error));
  }
  await withMicrophone(() => devices.take("set-up"));
  devices.release("set-up");
  return begin();
}

async function remove(id) {
  if (id === account.remembered) stop();
  try {
    await account.remove(id);
  } catch (error) {
    if (error.status !== 404) view.notice("trouble", words.setUp(error.status, error.error));
  }
  return begin();
}

// From the start: which phone is this browser's, and register it.
async function begin(said = words.SET_UP) {
  stop();
  let found;
  try {
    found = await account.look();
  } catch (error) {
    view.line({ word: "No connection", text: words.setUp(error.status, error.error), kind: "trouble" });
    return setTimeout(() => holds && !line && begin(), 5000);
  }
  number = found.number ?? "";
  const mine = found.phones.find((phone) => phone.id === account.remembered);
  if (!number) return showSetUp(words.setUp("no-extension"));
  if (!mine) return showSetUp(said, found.phones, true);
  return register(mine.id);
}

function showSetUp(text, phones = [], mayMake = false) {
  view.shown(["set-up"]);
  view.line({ word: "No phone", text: number ? `Your number is ${number}.` : "You are logged in.", kind: "trouble" });
  view.setUp(text, phones, mayMake);
}

async function register(id) {
  view.shown(["telephone"]);
  const controller = (watch = new AbortController());
  const jssip = await import("./jssip.js").catch(() => dispatchEvent(new Event("not-loaded")) && null);
  if (!jssip) return;
  line = new Line(jssip, devices);
  line.addEventListener("change", render);
  line.addEventListener("refused", () => account.info(id).then(use, () => {}));
  render();
  showDevices();
  await account.watch(id, controller.signal, news);
}

// What the API tells of the phone.
function news({ info, live, unreachable, ended: status }) {
  if (status) ended = status;
  if (unreachable !== undefined) service.unreachable = unreachable;
  if (live !== undefined) service.live = live;
  if (info) use(info);
  whenIdle();
  render();
}

function use(info) {
  const key = ({ host, callServerConfig, extensionDetails: { extension, password, authUsername } }) =>
    JSON.stringify([host, callServerConfig.websocketPath, extension, password, authUsername]);
  if (used && key(used) === key(info)) return;
  const blocked = words.blockedAddress(info.callServerConfig.websocketPath, isSecureContext, location.protocol === "https:");
  view.notice("address", blocked);
  next = blocked ? null : info;
  whenIdle();
}

// What would end calls waits for their end.
function whenIdle() {
  if (!line || line.open.length) return;
  if (ended) {
    const status = ended;
    if (status !== 401) account.remember(null);
    if (status !== 401) view.notice("trouble", "This browser's phone was removed, or your extension was taken away.");
    stop();
    begin(); // with an ended token it leads to the login first
  } else if (next) {
    [used, next] = [next, null];
    line.start(used);
  }
}

function stop() {
  watch?.abort();
  line?.stop();
  sounds.play(null);
  [watch, line, used, next, ended] = [null, null, null, null, 0];
  Object.assign(service, { live: true, unreachable: false });
  view.calls([]);
}

function render() {
  if (!line) return showAsked();
  const { state, code, calls, open } = line;
  const since = clock(line.since);
  const facts = { state, code, number, since, online: navigator.onLine, serverLive: service.live, unreachable: service.unreachable };
  const kind = state === "registered" ? "ready" : state === "connecting" ? "busy" : "trouble";
  view.line({ ...words.line(facts), kind });
  view.calls(calls);
  view.mayDial(line.mayDial);
  ring(open);
  const silent = state === "registered" && sounds.silent;
  view.notice("silent", silent ? "The browser lets this page ring only after a click." : "", silent ? [["Allow the ring", "allowSound"]] : []);
  const session = ended === 401 ? "Your session has ended. Your call goes on; log in when it is over." : "";
  view.notice("session", session);
  showAsked();
  calls.filter((call) => call.phase === "ended" && !call.leaves).forEach(leave);
  if (!open.length) queueMicrotask(whenIdle);
}

// An ended call is shown for a while, a missed one until it is dismissed.
function leave(call) {
  call.leaves = true;
  const lasted = call.talkingSince === null ? "" : ` It lasted ${duration(call.talkedFor)}.`;
  view.announce(`${peer(call)}: ${call.why}${lasted}`);
  if (call.why !== "Missed call.") setTimeout(() => line?.forget(call), KEEP_ENDED_MS);
}

function ring(open) {
  const incoming = open.some((call) => call.phase === "ringing" && call.incoming);
  const outgoing = open.some((call) => call.phase === "ringing" && !call.incoming);
  sounds.play(incoming ? (open.length > 1 ? "waiting" : "ring") : outgoing ? "ringback" : null);
}

const takeOver = holdPhone(user.userId, (news) => {
  holds = news === "held";
  view.notice("elsewhere", holds ? "" : "Another tab of this browser has the phone. Taking it over ends that tab's calls.", [["Use it here", "takeOver"]]);
  if (holds) return void begin();
  stop();
  view.shown([]);
  view.line({ word: "In another tab", text: "Calls ring there.", kind: "trouble" });
  return showAsked();
});
takeNumbers(account.uid, (text) => {
  const wanted = holds && line?.mayDial ? dialled(text) : null;
  if (wanted) dial(wanted);
  return Boolean(wanted);
});
devices.addEventListener("change", showDevices);
sounds.useSpeaker(devices.chosen.audiooutput);
for (const change of ["online", "offline"]) addEventListener(change, render);
for (const gesture of ["click", "keyup"]) addEventListener(gesture, render);
addEventListener("beforeunload", (event) => line?.open.length && event.preventDefault());
addEventListener("pagehide", stop);
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
