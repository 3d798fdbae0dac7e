// Elements and texts. Data becomes text nodes only, never markup.

export const byId = (id) => document.getElementById(id);

/** @param {...(Node|string|number)} children */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const brief = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** Up to 9,999 in full, beyond as 12.3K. */
export const count = (number) => (number < 10_000 ? whole : brief).format(number);

export const number = (value) => (value >= 1000 ? whole : three).format(value);

/** @param {number} ms */
export function duration(ms) {
  if (ms >= 3_600_000) {
    return `${three.format(ms / 3_600_000)} h`;
  }
  if (ms >= 60_000) {
    return `${three.format(ms / 60_000)} min`;
  }
  return ms >= 1000 ? `${three.format(ms / 1000)} s` : `${three.format(ms)} ms`;
}

/** Of a time, in UTC as in the log. */
export const clock = (time) => new Date(time).toISOString().slice(11, 19);
export const dateAndClock = (time) => `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
