// The panels that only show: health, versions, exporters, statements, the process.

import { byId, count, dateAndClock, duration, element, number } from "./dom.js";

const statementsMax = 15;

/** @param {{successes: string[], failures: object, timings: object}} body of health_check; times are in seconds */
export function showHealth(body) {
  const failures = Object.entries(body.failures ?? {});
  byId("checks").replaceChildren(
    ...failures.map(([name, failure]) => checkOf(name, body.timings?.[name], failure.message ?? "failed")),
    ...(body.successes ?? []).map((name) => checkOf(name, body.timings?.[name])));
  const verdict = byId("verdict");
  const text = failures.length === 0 ? "Healthy" : failures.length === 1 ? "1 check fails"
    : `${failures.length} checks fail`;
  verdict.hidden = false;
  verdict.className = `pill ${failures.length === 0 ? "good" : "bad"}`;
  verdict.textContent = text;
  document.title = failures.length === 0 ? "Operations" : `${text} – Operations`;
}

function checkOf(name, time, problem) {
  return element("li", { class: problem === undefined ? "good" : "bad" },
    element("span", { class: "name" }, name),
    element("span", { class: "quiet number" }, time === undefined ? "" : duration(time * 1000)),
    problem === undefined ? element("span", { class: "visually-hidden" }, "good")
      : element("span", { class: "problem" }, problem));
}

/** @param {object} body of versions.json */
export function showVersions(body) {
  const main = body.main ?? {};
  byId("commit").replaceChildren(
    ...(main.git_tag ? pair("Tag", main.git_tag) : []),
    ...pair("Commit", main.git_hash ?? "built without a repository"));
  const packages = Object.entries(body.packages ?? {});
  byId("packages-title").textContent = `${packages.length} packages`;
  byId("packages").replaceChildren(...packages.map(([name, version]) => element("tr", {},
    element("th", { scope: "row" }, name), element("td", { class: "number" }, version))));
}

const pair = (name, value) => [element("dt", {}, name), element("dd", {}, element("code", {}, value))];

/** @param {{exporters: object, log_drops: object}} body stats.json */
export function showExporters(body) {
  // Log handlers count only what they drop.
  const handlers = Object.entries(body.log_drops ?? {}).filter(([, times]) => times > 0)
    .map(([name, times]) => [`log: ${name}`, { dropped: { lines: times } }]);
  const rows = [...Object.entries(body.exporters ?? {}), ...handlers].map(([name, { sent, queued, dropped }]) => {
    const reasons = Object.entries(dropped ?? {}).filter(([, times]) => times > 0);
    const total = reasons.reduce((sum, [, times]) => sum + times, 0);
    return element("tr", {},
      element("th", { scope: "row" }, name),
      element("td", { class: "number" }, sent === undefined ? "" : count(sent)),
      element("td", { class: "number" }, queued === undefined ? "" : count(queued)),
      element("td", { class: total > 0 ? "number problem" : "number" }, count(total),
        ...reasons.map(([reason, times]) => element("div", { class: "quiet" }, `${reason} ${count(times)}`))));
  });
  byId("exporter-rows").replaceChildren(...(rows.length > 0 ? rows
    : [element("tr", {}, element("td", { colspan: "4", class: "quiet" }, "None is configured."))]));
}

/** @param {object} body stats.json */
export function showStatements(body) {
  const timers = Object.entries(body.timers ?? {}).filter(([key]) => key.startsWith("sql/"))
    .map(([key, timer]) => ({ text: key.slice("sql/".length), total: timer.nb * timer.avg_ms, ...timer }))
    .sort((a, b) => b.total - a.total);
  const all = timers.reduce((sum, timer) => sum + timer.total, 0);
  byId("statements").hidden = timers.length === 0;
  byId("since").textContent = body.since ? dateAndClock(body.since) : "the start";
  byId("statement-rows").replaceChildren(...timers.slice(0, statementsMax).map((timer) => {
    const share = element("span", { class: "bar sql" });
    share.style.width = `${timer.total / (all || 1) * 100}%`;
    // On a phone the heads of the columns stand in each cell.
    const cell = (head, text) => element("td", { class: "number", "data-head": head }, text);
    return element("tr", {},
      element("th", { scope: "row" }, element("code", {}, timer.text), element("span", { class: "track" }, share)),
      cell("Total", duration(timer.total)), cell("Calls", count(timer.nb)), cell("Mean", duration(timer.avg_ms)),
      cell("p99", duration(timer.p99_ms)), cell("Max", duration(timer.max_ms)));
  }));
}

let before = null;

/** @param {object} body stats.json; the shares are those of the time since the last poll */
export function showProcess(body) {
  const now = body.runtime ?? {};
  const seconds = before === null ? 0 : now.uptime_s - before.uptime_s;
  const share = (key, unit) => (seconds <= 0 ? "–" : `${number((now[key] - before[key]) / unit / seconds * 100)} %`);
  byId("process-values").replaceChildren(
    ...row("Up for", duration(now.uptime_s * 1000)),
    ...row("Processor", share("cpu_s", 1)),
    ...row("Memory", `${count(now.working_set_bytes / 1_048_576)} MiB`),
    ...row("Managed heap", `${count(now.gc_heap_bytes / 1_048_576)} MiB`),
    ...row("Pauses of the collector", share("gc_pause_ms", 1000)),
    ...row("Threads", `${count(now.threads)}, ${count(now.thread_pool_queued)} queued`));
  if (seconds !== 0 || before === null) {
    before = now;
  }
}

const row = (name, value) => [element("dt", {}, name), element("dd", { class: "number" }, value)];
