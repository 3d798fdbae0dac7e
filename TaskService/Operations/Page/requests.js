// The list of the latest requests. One that is opened shows its line of the log and its operations as a waterfall.

import { byId, clock, duration, element } from "./dom.js";

const rowsMax = 200;

export class RequestList {
  #rows = byId("request-rows");
  #filter = byId("filter");

  constructor() {
    this.#filter.addEventListener("input", () => {
      for (const row of this.#rows.children) {
        this.#apply(row);
      }
    });
  }

  /** @param {object[]} requests of requests.json, the oldest first */
  add(requests) {
    for (const request of requests.slice(-rowsMax)) {
      const row = rowOf(request);
      this.#apply(row);
      this.#rows.prepend(row);
    }
    while (this.#rows.children.length > rowsMax) {
      // What is open is being read; the one before it goes.
      const last = [...this.#rows.children].findLast((row) => !row.open) ?? this.#rows.lastElementChild;
      last.remove();
    }
    byId("no-requests").hidden = this.#rows.children.length > 0;
  }

  clear() {
    this.#rows.replaceChildren();
    byId("no-requests").hidden = false;
  }

  #apply(row) {
    row.hidden = !row.dataset.text.includes(this.#filter.value.trim().toLowerCase());
  }
}

function rowOf(request) {
  const row = element("details", { class: `request ${groupOf(request.status)}` },
    element("summary", {},
      element("time", {}, clock(request.time)),
      element("span", { class: "status" }, request.status),
      element("span", { class: "method" }, request.method),
      element("span", { class: "uri" }, request.uri),
      element("span", { class: "number" }, duration(request.time_ms))));
  row.dataset.text = `${request.method} ${request.uri} ${request.status} ${request.id}`.toLowerCase();
  // Most rows are never opened.
  row.addEventListener("toggle", () => row.append(element("pre", {}, request.line), waterfallOf(request)),
    { once: true });
  return row;
}

const groupOf = (status) => `s${String(status)[0]}xx`;

function waterfallOf(request) {
  const all = request.operations ?? [];
  if (all.length === 0) {
    return element("p", { class: "quiet" }, "No operations were recorded.");
  }
  const end = Math.max(request.time_ms, ...all.map((one) => one.start_ms + one.time_ms)) || 1;
  return element("ol", { class: "waterfall" }, ...all.map((operation) => barOf(operation, end)));
}

function barOf(operation, end) {
  const bar = element("span", { class: `bar ${kindOf(operation.type)}` });
  bar.style.marginLeft = `${operation.start_ms / end * 100}%`;
  bar.style.width = `${operation.time_ms / end * 100}%`;
  const made = element("li", {},
    element("span", { class: "name" }, operation.type),
    element("span", { class: "track" }, bar),
    element("span", { class: "number" }, duration(operation.time_ms)),
    element("span", { class: "fields-of" }, textOf(operation.fields)));
  made.style.setProperty("--depth", Math.min(operation.depth, 8));
  return made;
}

const kindOf = (type) => (/(^|\.)sql$/.test(type) ? "sql" : /httpclient/.test(type) ? "call" : "");

function textOf(fields) {
  return Object.entries(fields ?? {}).filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ");
}
