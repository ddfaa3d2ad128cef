/** Sounds made by the browser itself: a ring, a beep for a waiting call, and the tone of a call that rings elsewhere. */

const RING = { tones: [440, 554], pattern: [[0, 0.4], [0.6, 0.4]], every: 3, volume: 0.25 };
const WAITING = { tones: [440], pattern: [[0, 0.15]], every: 5, volume: 0.08 };
const RINGBACK = { tones: [425], pattern: [[0, 1]], every: 5, volume: 0.06 };
const SOUNDS = { ring: RING, waiting: WAITING, ringback: RINGBACK };
const EDGE_S = 0.02;
const AGAIN_MS = 250;

/** Plays one sound at a time. Browsers allow it once the person has clicked or typed on the page. */
export class Sounds {
  #context = null;
  #playing = null;
  #timer = 0;
  #sounding = new Set();

  /** `sink` is the id of the speaker, empty for the default one. */
  constructor() {
    this.sink = "";
  }

  /** Whether a ring would be silent: until the person has clicked or typed, browsers let no page make a sound. */
  get silent() {
    return !this.#context && navigator.userActivation?.hasBeenActive === false;
  }

  /** Call this on a click: browsers then allow sound. Resolves when they do. */
  async allow() {
    await this.#open().resume();
  }

  async useSpeaker(id) {
    this.sink = id;
    if (this.#context?.setSinkId) await this.#context.setSinkId(id).catch(() => {});
  }

  /** Play `ring`, `waiting`, `ringback`, or with null nothing. Goes on until it is told otherwise. */
  play(name) {
    if (name === this.#playing) return;
    this.#stop();
    this.#playing = name;
    if (name) this.#round(SOUNDS[name]);
  }

  #open() {
    if (!this.#context) {
      this.#context = new AudioContext();
      if (this.sink) this.useSpeaker(this.sink);
    }
    if (this.#context.state !== "running") this.#context.resume().catch(() => {});
    return this.#context;
  }

  #round(sound) {
    const audible = !this.silent && this.#open().state === "running";
    if (audible) {
      for (const [start, length] of sound.pattern) this.#beep(sound, this.#context.currentTime + 0.05 + start, length);
    }
    this.#timer = setTimeout(() => this.#round(sound), audible ? sound.every * 1000 : AGAIN_MS);
  }

  #beep({ tones, volume }, at, length) {
    const gain = this.#context.createGain();
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(volume, at + EDGE_S);
    gain.gain.setValueAtTime(volume, at + length - EDGE_S);
    gain.gain.linearRampToValueAtTime(0, at + length);
    gain.connect(this.#context.destination);
    for (const frequency of tones) {
      const tone = new OscillatorNode(this.#context, { frequency });
      tone.connect(gain);
      tone.start(at);
      tone.stop(at + length);
      this.#sounding.add(tone);
      tone.onended = () => this.#sounding.delete(tone);
    }
  }

  #stop() {
    clearTimeout(this.#timer);
    for (const tone of this.#sounding) tone.stop();
    this.#sounding.clear();
  }
}
