/** The SIP side: one registration, its calls, and their sound. The only module that knows JsSIP. */

import { Call, OPEN } from "./phone-call.js";
import { sipUri } from "./phone-number.js";

const REGISTER_EXPIRES_S = 120;
const RECOVERY_S = { connection_recovery_min_interval: 1, connection_recovery_max_interval: 8 };
const RETRY_MS = [2000, 5000, 10000, 30000];
const MOST_CALLS = 2;

/** Events: `change` at every change of the line or of a call; `refused` when the call server refuses the password. */
export class Line extends EventTarget {
  #ua = null;
  #retry = 0;
  #refusals = 0;
  #jssip;
  #devices;

  constructor(jssip, devices) {
    super();
    this.#jssip = jssip;
    this.#devices = devices;
    this.state = "connecting";
    this.code = 0;
    this.since = new Date();
    this.calls = [];
  }

  /** Register with this registration info; again with another one after a change of it. */
  start({ host, callServerConfig, extensionDetails }) {
    this.stop();
    const { UA, WebSocketInterface } = this.#jssip;
    const { extension, password, authUsername } = extensionDetails;
    this.host = host;
    const ua = (this.#ua = new UA({
      sockets: [new WebSocketInterface(callServerConfig.websocketPath)],
      uri: sipUri(extension, host),
      authorization_user: authUsername ?? extension,
      password,
      register_expires: REGISTER_EXPIRES_S,
      session_timers: false,
      user_agent: "Asterisk connector browser phone",
      ...RECOVERY_S,
    }));
    const mine = (action) => (event) => this.#ua === ua && action(event);
    ua.on("registered", mine(() => this.#registered()));
    ua.on("registrationFailed", mine(({ response, cause }) => this.#refused(response?.status_code, cause)));
    ua.on("disconnected", mine(() => this.#away()));
    ua.on("newRTCSession", mine(({ originator, session }) => originator === "remote" && this.#rings(session)));
    this.#become("connecting");
    ua.start();
  }

  /** Unregister and end all calls. */
  stop() {
    clearTimeout(this.#retry);
    const ua = this.#ua;
    this.#ua = null;
    ua?.stop();
    for (const call of this.open) call.finish({ cause: "Terminated", originator: "local" });
    if (ua) this.#become("stopped");
  }

  /** The calls that have not ended. */
  get open() {
    return this.calls.filter((call) => OPEN.has(call.phase));
  }

  get mayDial() {
    return this.state === "registered" && this.open.length < MOST_CALLS;
  }

  /** Call a number; the call that is active is put on hold first. Throws what the microphone throws. */
  async dial(number) {
    await this.#holdOthers(null);
    const call = this.#add(new Call({ incoming: false, number, line: this }));
    try {
      const mediaStream = await this.#devices.take(call);
      if (call.phase === "ended" || !this.#ua) return call.finish({ cause: "Canceled", originator: "local" });
      call.attach(this.#ua.call(sipUri(number, this.host), { mediaStream, pcConfig: { iceServers: [] } }));
    } catch (error) {
      this.#drop(call);
      throw error;
    }
    return call;
  }

  /** Answer; the call that is active is put on hold. Throws what the microphone throws. */
  async answer(call) {
    const mediaStream = await this.#devices.take(call).catch((error) => {
      this.#devices.release(call);
      throw error;
    });
    if (call.phase !== "ringing") return this.#devices.release(call);
    await this.#holdOthers(call);
    call.answer(mediaStream);
  }

  /** Connect the other party with a number, and leave the call. */
  transfer(call, number) {
    call.transferTo(sipUri(number, this.host));
  }

  /** Hold this one, or speak with it and hold the other. */
  async hold(call, held) {
    if (!held) await this.#holdOthers(call);
    await call.hold(held);
  }

  /** Ask where the call shall go, or no longer; `said` is what was wrong with the last number. */
  askTransfer(call, said = "") {
    Object.assign(call, { transferring: Boolean(said) || !call.transferring, transfer: said });
    this.changed(call);
  }

  /** Another microphone or speaker was chosen. */
  async devicesChanged() {
    const tracks = await this.#devices.exchange();
    for (const [call, track] of tracks) await call.replaceTrack(track);
    for (const call of this.calls) call.useSpeaker(this.#devices.chosen.audiooutput);
  }

  /** A call says that it has changed. */
  changed(call) {
    if (call.phase === "ended") this.#devices.release(call);
    if (call.phase === "talking") call.useSpeaker(this.#devices.chosen.audiooutput);
    this.dispatchEvent(new Event("change"));
  }

  /** Forget a call that has ended. */
  forget(call) {
    this.calls = this.calls.filter((other) => other !== call);
    this.dispatchEvent(new Event("change"));
  }

  async #holdOthers(call) {
    for (const other of this.open) if (other !== call && other.phase === "talking" && !other.held) await other.hold(true);
  }

  #rings(session) {
    if (this.open.length >= MOST_CALLS) return session.terminate({ status_code: 486 });
    const { uri, display_name } = session.remote_identity;
    const call = new Call({ incoming: true, number: uri.user ?? "", name: display_name ?? "", line: this });
    this.#add(call).attach(session);
  }

  #add(call) {
    this.calls = [...this.calls.filter((other) => other.phase !== "ended"), call];
    this.dispatchEvent(new Event("change"));
    return call;
  }

  #drop(call) {
    this.#devices.release(call);
    this.forget(call);
  }

  #registered() {
    this.#refusals = 0;
    this.#become("registered");
  }

  #refused(code, cause) {
    if (!code) return this.#away(cause);
    this.code = code;
    this.#become("refused");
    if (code === 401 || code === 403) this.dispatchEvent(new Event("refused"));
    this.#later();
  }

  #away() {
    this.#become("away");
    for (const call of this.open) call.transportLost();
    if (this.#ua?.isConnected()) this.#later();
  }

  #later() {
    clearTimeout(this.#retry);
    const ua = this.#ua;
    const wait = RETRY_MS[Math.min(this.#refusals++, RETRY_MS.length - 1)];
    this.#retry = setTimeout(() => this.#ua === ua && ua?.isConnected() && ua.register(), wait);
  }

  #become(state) {
    if (state !== this.state) this.since = new Date();
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
