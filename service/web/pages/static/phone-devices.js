/** Microphone and speaker: which there are, which one was chosen, and the microphone's stream while calls need it. */

const CHOICE = "connector.phone.devices";

export class Devices extends EventTarget {
  #stream = null;
  #users = new Map();

  constructor() {
    super();
    this.chosen = stored();
    const changed = () => this.dispatchEvent(new Event("change"));
    navigator.mediaDevices?.addEventListener("devicechange", changed);
    navigator.permissions?.query({ name: "microphone" }).then((permission) => (permission.onchange = changed), () => {});
  }

  /** The devices of a kind, `audioinput` or `audiooutput`. Their names are known once the microphone was allowed. */
  async list(kind) {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const one = kind === "audioinput" ? "Microphone" : "Speaker";
    return all
      .filter((device) => device.kind === kind && device.deviceId)
      .map((device, n) => ({ id: device.deviceId, label: device.label || `${one} ${n + 1}` }));
  }

  /** The name of the exception that a call would meet now; empty as far as the browser tells. */
  async trouble() {
    if (!navigator.mediaDevices) return "insecure";
    const permission = await navigator.permissions?.query({ name: "microphone" }).catch(() => null);
    if (permission?.state === "denied") return "NotAllowedError";
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.some((device) => device.kind === "audioinput") ? "" : "NotFoundError";
  }

  choose(kind, id) {
    this.chosen[kind] = id;
    localStorage.setItem(CHOICE, JSON.stringify(this.chosen));
  }

  /**
   * The microphone for one call, `user`, which gives it back with `release`. Each call has a track of its own: muting
   * one must not mute the other. Throws what the browser throws.
   */
  async take(user) {
    if (!navigator.mediaDevices) throw Object.assign(new Error("no secure context"), { name: "insecure" });
    this.#users.set(user, null);
    try {
      if (!this.#live()) this.#stream = await this.#opened();
    } catch (error) {
      this.release(user);
      throw error;
    }
    this.dispatchEvent(new Event("change")); // the names of the devices are known now
    const stream = this.#stream.clone();
    if (this.#users.has(user)) this.#users.set(user, stream);
    else this.#closeIfUnused(stream);
    return stream;
  }

  release(user) {
    const stream = this.#users.get(user);
    this.#users.delete(user);
    this.#closeIfUnused(stream);
  }

  /** Another microphone for the calls that there are: a track for each, by call. */
  async exchange() {
    const users = [...this.#users.keys()];
    if (!users.length) return new Map();
    const opened = await this.#opened();
    stop(this.#stream);
    this.#stream = opened;
    return new Map(users.filter((user) => this.#users.has(user)).map((user) => [user, this.#renewed(user)]));
  }

  #renewed(user) {
    stop(this.#users.get(user));
    const stream = this.#stream.clone();
    this.#users.set(user, stream);
    return stream.getAudioTracks()[0];
  }

  #live() {
    return this.#stream?.getAudioTracks().some((track) => track.readyState === "live");
  }

  async #opened() {
    const wanted = this.chosen.audioinput;
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    if (wanted) audio.deviceId = { ideal: wanted };
    return navigator.mediaDevices.getUserMedia({ audio, video: false });
  }

  #closeIfUnused(stream) {
    stop(stream);
    if (this.#users.size) return;
    stop(this.#stream);
    this.#stream = null;
  }
}

function stop(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

function stored() {
  try {
    const { audioinput = "", audiooutput = "" } = JSON.parse(localStorage.getItem(CHOICE) ?? "{}");
    return { audioinput: String(audioinput), audiooutput: String(audiooutput) };
  } catch {
    return { audioinput: "", audiooutput: "" };
  }
}
