/** One call: what of it is shown, and what can be done with it. It wraps a session of JsSIP. */

import { ended } from "./phone-words.js";

/** `calling`: it is dialled; `ringing`: it rings here or there; `talking`; `ended`. */
export const OPEN = new Set(["calling", "ringing", "talking"]);
const GATHERED_WITHIN_MS = 500;
const REOFFER_TRIES = 20;
const REOFFER_EVERY_MS = 100;
const AGREED_WITHIN_MS = 5000;
const SOUND_TRIES = 50;
let made = 0;

export class Call {
  #session = null;
  #transportLost = false;
  #keys = Promise.resolve();
  #line;

  constructor({ incoming, number, name = "", line }) {
    Object.assign(this, { id: `call-${++made}`, incoming, number, name });
    Object.assign(this, { phase: incoming ? "ringing" : "calling", held: false, heldByPeer: false, muted: false });
    Object.assign(this, { talkingSince: null, talkedFor: 0, why: "", transferring: false, transfer: "" });
    this.#line = line;
    this.audio = new Audio();
    this.audio.autoplay = true;
  }

  /** The session that carries it. */
  attach(session) {
    this.#session = session;
    const gathered = { timer: 0 };
    session.on("progress", () => this.incoming || this.#become({ phase: "ringing" }));
    session.on("accepted", () => this.#talk());
    session.on("confirmed", () => this.#talk());
    session.on("ended", (event) => this.finish(event));
    session.on("failed", (event) => this.finish(event));
    session.on("hold", ({ originator }) => this.#become({ [originator === "local" ? "held" : "heldByPeer"]: true }));
    session.on("unhold", ({ originator }) => this.#become({ [originator === "local" ? "held" : "heldByPeer"]: false }));
    session.on("muted", () => this.#become({ muted: true }));
    session.on("unmuted", () => this.#become({ muted: false }));
    session.on("peerconnection", ({ peerconnection }) => this.#hear(peerconnection));
    session.on("icecandidate", ({ ready }) => {
      clearTimeout(gathered.timer);
      gathered.timer = setTimeout(ready, GATHERED_WITHIN_MS);
    });
    if (session.connection) this.#hear(session.connection);
    return this;
  }

  answer(mediaStream) {
    this.#session.answer({ mediaStream, pcConfig: { iceServers: [] } });
  }

  /** Refuse, cancel or hang up: whichever the call is in. */
  end() {
    if (!this.#session) return this.finish({ cause: "Canceled", originator: "local" });
    if (this.phase === "ended") return undefined;
    const refused = this.incoming && this.phase === "ringing" ? { status_code: 603 } : {};
    return this.#session.terminate(refused);
  }

  mute(muted) {
    this.#session[muted ? "mute" : "unmute"]({ audio: true });
  }

  /** Hold or resume. While another offer is under way it is tried again for a while. Resolves when it is agreed. */
  async hold(held) {
    const change = held ? "hold" : "unhold";
    for (let tries = 0; tries < REOFFER_TRIES && this.phase === "talking" && this.held !== held; tries += 1) {
      const agreed = await new Promise((done) => {
        setTimeout(done, this.#session[change]({}, () => done(true)) ? AGREED_WITHIN_MS : REOFFER_EVERY_MS, false);
      });
      if (agreed) return;
    }
  }

  /** Send keys as telephone events in the sound (RFC 4733), in order, and not before sound is sent. */
  sendDigits(digits) {
    const send = async () => {
      for (let tries = 0; tries < SOUND_TRIES && this.phase === "talking"; tries += 1) {
        if (this.#sendsSound()) return this.#session.sendDTMF(digits, { transportType: "RFC2833" });
        await new Promise((done) => setTimeout(done, REOFFER_EVERY_MS));
      }
      return undefined;
    };
    this.#keys = this.#keys.then(send).catch(() => {}); // the call ended meanwhile
  }

  #sendsSound() {
    const { connection } = this.#session;
    const sender = connection?.getSenders().find((each) => each.track?.kind === "audio");
    return connection?.connectionState === "connected" && sender?.dtmf?.canInsertDTMF;
  }

  /** Ask the call server to connect the other party with a URI: a blind transfer by REFER. */
  transferTo(uri) {
    const failed = () => this.#become({ transfer: "The transfer was refused. You are still in the call." });
    this.#become({ transfer: "Transferring…" });
    const eventHandlers = { requestFailed: failed, failed, accepted: () => this.#transferred() };
    if (!this.#session.refer(uri, { eventHandlers })) failed();
  }

  async replaceTrack(track) {
    const sender = this.#session?.connection?.getSenders().find((each) => each.track?.kind === "audio");
    if (!sender) return;
    track.enabled = sender.track.enabled;
    await sender.replaceTrack(track);
  }

  useSpeaker(id) {
    if (this.audio.setSinkId && this.audio.sinkId !== id) this.audio.setSinkId(id).catch(() => {});
  }

  /** The connection for signalling was lost: if the sound goes too, the call is over. */
  transportLost() {
    this.#transportLost = true;
    if (this.phase !== "talking") this.finish({ cause: "lost" });
    else this.#loseIfSilent();
  }

  /** Show it as ended. */
  finish({ originator: by = "local", cause, message = null }) {
    if (this.phase === "ended") return this;
    const talked = this.talkingSince !== null;
    const reason = message?.getHeader?.("Reason") ?? "";
    this.talkedFor = talked ? (Date.now() - this.talkingSince) / 1000 : 0;
    this.audio.srcObject = null;
    this.#become({ phase: "ended", why: ended({ incoming: this.incoming, talked, by, cause, reason }) });
    return this;
  }

  #talk() {
    if (this.phase === "ended" || this.talkingSince !== null) return;
    this.#become({ phase: "talking", talkingSince: Date.now() });
  }

  #transferred() {
    if (this.phase === "ended") return;
    this.finish({ cause: "transferred" });
    this.#session.terminate();
  }

  #hear(connection) {
    connection.addEventListener("track", ({ track, streams }) => {
      this.audio.srcObject = streams[0] ?? new MediaStream([track]);
    });
    connection.addEventListener("iceconnectionstatechange", () => this.#loseIfSilent());
  }

  #loseIfSilent() {
    const state = this.#session?.connection?.iceConnectionState;
    if (!this.#transportLost || !["disconnected", "failed", "closed"].includes(state)) return;
    this.finish({ cause: "lost" });
    this.#session.terminate();
  }

  #become(changes) {
    if (this.phase === "ended") return;
    Object.assign(this, changes);
    this.#line.changed(this);
  }
}
