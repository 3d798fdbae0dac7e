// Log levels: the form that changes one, and the list of those that were changed.

import { send } from "./api.js";
import { byId, clock, element } from "./dom.js";

export class Levels {
  #shown = "";

  constructor() {
    byId("level-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#change(byId("logger").value.trim(), byId("level").value, byId("duration").value);
    });
  }

  /** @param {{overrides: object, until: object}} body by the names of loggers */
  show(body) {
    const text = JSON.stringify(body);
    // Buttons that did not change keep the focus.
    if (text === this.#shown) {
      return;
    }
    this.#shown = text;
    byId("overrides").replaceChildren(...Object.entries(body.overrides ?? {}).map(([name, level]) => {
      const until = body.until?.[name];
      const reset = element("button", { type: "button", "aria-label": `Reset ${name}` }, "Reset");
      reset.addEventListener("click", () => this.#change(name, "NOTSET", ""));
      return element("tr", {},
        element("th", { scope: "row" }, name,
          element("div", { class: "quiet" }, `${level} until ${until ? `${clock(until)} UTC` : "the restart"}`)),
        element("td", { class: "number" }, reset));
    }));
  }

  async #change(name, level, length) {
    const query = new URLSearchParams({ name, level, ...(length && { for: length }) });
    try {
      const { status, body } = await send(`logging/level?${query}`, "PUT");
      byId("level-result").textContent = status === 200 ? describe(name, level, body)
        : `${name} was not changed: ${body?.message ?? body?.detail ?? body?.title ?? status}`;
      const all = await send("logging/level");
      if (all.status === 200) {
        this.show(all.body);
        // The button that was pressed may be gone.
        if (document.activeElement === document.body) {
          byId("logger").focus();
        }
      }
    } catch (error) {
      byId("level-result").textContent = `${name} was not changed: no answer (${error.message}).`;
    }
  }
}

function describe(name, level, body) {
  if (level === "NOTSET") {
    return `${name} is reset, and is at ${body.effective_level} again.`;
  }
  // A handler may hold back what the logger lets pass.
  const handlers = Object.entries(body.handlers ?? {}).map(([handler, limit]) => `${handler} from ${limit}`);
  return `${name} is at ${body.effective_level}${body.until ? ` until ${clock(body.until)} UTC` : ""}.`
    + (handlers.length > 0 ? ` Its handlers write ${handlers.join(", ")}.` : "");
}
