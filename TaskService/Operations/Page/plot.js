// A plot of the last minutes: lines or stacked bars in SVG, with a legend that shows the values of now, or of the
// sample below the pointer or chosen by the arrow keys.

import { clock, element } from "./dom.js";

const svgNamespace = "http://www.w3.org/2000/svg";
const samplesMax = 90;

export class Plot {
  #samples = [];
  #chosen = null;

  /**
   * @param {{id: string, title: string, span: string, series: {key: string, label: string}[], isStacked?: boolean,
   *   headline: (sample) => string, format: (value: number) => string}} options
   */
  constructor(parent, options) {
    this.options = options;
    this.headline = element("span", { class: "headline" });
    this.when = element("span", { class: "when quiet" });
    this.legend = element("div", { class: "legend" });
    this.top = element("span", { class: "top" });
    this.svg = svg("svg", { viewBox: `0 0 ${samplesMax} 100`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.svg.append(svg("path", { class: "grid", d: `M0 0.5H${samplesMax}M0 50H${samplesMax}M0 99.5H${samplesMax}` }));
    this.paths = options.series.map(({ key }) => svg("path", { class: `series ${key}` }));
    this.cursor = svg("path", { class: "cursor" });
    this.fill = svg("path", { class: "fill" });
    this.svg.append(this.fill, ...this.paths, this.cursor);
    this.values = options.series.map(() => element("b"));
    this.legend.append(...options.series.map(({ key, label }, i) =>
      element("span", {}, element("i", { class: `key ${key}` }), `${label} `, this.values[i])));
    this.area = element("div", { class: "area", tabindex: "0", role: "img" }, this.svg, this.top);
    parent.append(element("figure", { class: "card plot", id: options.id, hidden: "" },
      element("figcaption", {}, element("h2", {}, options.title), this.when, this.headline),
      this.area,
      element("div", { class: "axis", "aria-hidden": "true" },
        element("span", {}, options.span), element("span", {}, "now")),
      ...(options.series.length > 1 ? [this.legend] : [])));
    this.#listen();
    this.#draw();
  }

  /** @param {object} sample has a time, and a value for each key of the series, null for none */
  add(sample) {
    this.#samples.push(sample);
    if (this.#samples.length > samplesMax) {
      this.#samples.shift();
    }
    this.#draw();
  }

  #listen() {
    this.area.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      this.#choose(Math.floor((event.clientX - box.left) / box.width * samplesMax));
    });
    this.area.addEventListener("pointerleave", () => this.#choose(null));
    this.area.addEventListener("blur", () => this.#choose(null));
    this.area.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) {
        event.preventDefault();
        this.#choose((this.#chosen ?? samplesMax) + step);
      }
    });
  }

  /** @param {?number} slot a place from the left; the latest sample is in the last one */
  #choose(slot) {
    const first = samplesMax - this.#samples.length;
    this.#chosen = slot === null || this.#samples.length === 0 || slot >= samplesMax ? null : Math.max(first, slot);
    this.#draw();
  }

  #draw() {
    const { series, isStacked, format, headline } = this.options;
    const totals = this.#samples.map((sample) => {
      const values = series.map(({ key }) => sample[key] ?? 0);
      return isStacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
    });
    const top = roundUp(Math.max(0, ...totals));
    const first = samplesMax - this.#samples.length;
    const floors = this.#samples.map(() => 0);
    series.forEach(({ key }, i) => {
      const values = this.#samples.map((sample) => sample[key]);
      this.paths[i].setAttribute("d", isStacked ? bars(values, floors, first, top) : line(values, first, top));
    });
    // Below the only line.
    this.fill.setAttribute("d", series.length > 1 || this.#samples.length < 2 ? ""
      : `${this.paths[0].getAttribute("d")}V100H${first + 0.5}Z`);
    this.top.textContent = format(top);
    const shown = this.#samples.at(this.#chosen === null ? -1 : this.#chosen - first);
    this.cursor.setAttribute("d", this.#chosen === null ? "" : `M${this.#chosen + 0.5} 0V100`);
    this.when.textContent = this.#chosen === null ? "" : `at ${clock(shown.time)} UTC`;
    if (shown) {
      this.headline.textContent = headline(shown);
      series.forEach(({ key }, i) => {
        this.values[i].textContent = shown[key] === null ? "–" : format(shown[key]);
      });
      this.area.setAttribute("aria-label", `${this.options.title}: ${headline(shown)}; ${this.legend.textContent}`);
    }
  }
}

function svg(name, attributes) {
  const made = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  return made;
}

/** The next round number. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value || 1) + 1e-9);
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.999999);
}

/** Interrupted where there is no value; a value between two gaps is a dot. */
function line(values, first, top) {
  let path = "";
  values.forEach((value, i) => {
    if (typeof value === "number") {
      const isBegin = typeof values[i - 1] !== "number";
      const isDot = isBegin && typeof values[i + 1] !== "number";
      const place = `${first + i + 0.5} ${(99.5 - value / top * 98).toFixed(2)}`;
      path += `${isBegin ? "M" : "L"}${place}${isDot ? "h0.01" : ""}`;
    }
  });
  return path;
}

/** @param {number[]} floors where each bar begins, and then where it ends */
function bars(values, floors, first, top) {
  let path = "";
  values.forEach((value, i) => {
    if (value > 0) {
      const height = value / top * 99;
      path += `M${first + i + 0.1} ${(100 - floors[i]).toFixed(2)}h0.8v${(-height).toFixed(2)}h-0.8z`;
      floors[i] += height;
    }
  });
  return path;
}
