// The page of the operators: signs in, polls what the secret opens, and hides what it does not.

import { isOfThisPage, secret, send } from "./api.js";
import { byId, clock, number } from "./dom.js";
import { Levels } from "./levels.js";
import { showExporters, showHealth, showProcess, showStatements, showVersions } from "./panels.js";
import { Plot } from "./plot.js";
import { RequestList } from "./requests.js";
import { Traffic, percentiles } from "./traffic.js";

const problemKey = "operations-problem";

const levels = new Levels();
const list = new RequestList();
const traffic = new Traffic();
const plots = makePlots();
let last = 0;

const statisticsPanels = ["rate", "statuses", "exporters", "process"];

// What is polled: in turn, so that a secret that is not accepted any more counts as one failure, and health for itself,
// since a check may take long.
const groups = [
  {
    pollMs: 2000,
    polls: 0,
    features: [
      { path: () => "stats.json", every: 1, show: showStatistics, panels: statisticsPanels },
      { path: () => `requests.json?after=${last}`, every: 1, show: showRequests, panels: ["latency", "requests"] },
      { path: () => "logging/level", every: 5, show: (body) => levels.show(body), panels: ["levels"] },
      { path: () => "versions.json", every: Infinity, show: showVersions, panels: ["versions"] },
    ],
  },
  {
    pollMs: 10_000,
    polls: 0,
    features: [{ path: () => "health_check?max_level=100", every: 1, show: showHealth, panels: ["health"] }],
  },
];

let isPaused = false;

function makePlots() {
  const parent = byId("plots");
  const span = "3 min ago";
  const milliseconds = (value) => `${number(value)} ms`;
  const perSecond = (value) => `${number(value)}/s`;
  return {
    rate: new Plot(parent, {
      id: "rate", title: "Requests", span, series: [{ key: "rate", label: "a second" }],
      headline: (sample) => perSecond(sample.rate), format: number,
    }),
    latency: new Plot(parent, {
      id: "latency", title: "Latency", span,
      series: [{ key: "p99", label: "p99" }, { key: "p90", label: "p90" }, { key: "p50", label: "p50" }],
      headline: (sample) => (sample.p99 === null ? "–" : `p99 ${milliseconds(sample.p99)}`), format: milliseconds,
    }),
    statuses: new Plot(parent, {
      id: "statuses", title: "Statuses", span, isStacked: true,
      series: ["5xx", "4xx", "3xx", "2xx"].map((label) => ({ key: `s${label}`, label })),
      headline: (sample) => (sample.s5xx > 0 ? `${perSecond(sample.s5xx)} failed` : "none failed"), format: number,
    }),
  };
}

function showStatistics(body) {
  const sample = traffic.update(body.timers ?? {}, Date.now());
  if (sample) {
    plots.rate.add(sample);
    plots.statuses.add(sample);
  }
  showStatements(body);
  showExporters(body);
  showProcess(body);
}

function showRequests(body) {
  const requests = body.requests.filter((request) => !isOfThisPage(request.uri));
  // The first answer may have requests of a minute.
  if (last > 0) {
    plots.latency.add({ time: Date.now(), ...percentiles(requests) });
  }
  last = Math.max(1, body.last);
  list.add(requests);
}

/** @returns {Promise<?number>} ms until the next poll; null for none */
async function poll(group) {
  for (const feature of group.features.filter((one) => !one.isAbsent && group.polls % one.every === 0)) {
    const { status, body, retryAfter } = await send(feature.path());
    // A check that fails is shown as well.
    if (status === 200 || (status === 500 && body?.failures)) {
      feature.isOpen = true;
      feature.panels.forEach((panel) => { byId(panel).hidden = false; });
      feature.show(body);
    } else if (status === 429) {
      const seconds = retryAfter || 60;
      say(group, `Too many wrong secrets came from your address. Trying again in ${seconds} s.`);
      return seconds * 1000;
    } else if ([401, 403].includes(status) && feature.isOpen) {
      signOut("The secret is not accepted any more.");
      return null;
    } else if ([401, 403, 404, 501].includes(status)) {
      feature.isAbsent = true;
    } else {
      say(group, `${feature.path().split("?")[0]} was answered with ${status}. Trying again.`);
      return group.pollMs;
    }
  }
  group.polls++;
  say(group, "");
  byId("updated").textContent = `${clock(Date.now())} UTC`;
  return group.pollMs;
}

async function run(group) {
  clearTimeout(group.timer);
  if (group.isBusy) {
    return;
  }
  group.isBusy = true;
  let wait = group.pollMs;
  try {
    if (!isPaused && !document.hidden) {
      wait = await poll(group);
    }
  } catch (error) {
    say(group, `No answer from ${location.host} (${error.message}). Trying again.`);
  }
  group.isBusy = false;
  if (wait !== null && secret.get() !== null) {
    group.timer = setTimeout(run, wait, group);
  }
}

const runAll = () => groups.forEach(run);

/** @returns {Promise<string>} why the secret is no good; empty when it is */
async function tryOut() {
  let status = 0;
  // Statistics, or else the levels, which may have a secret of their own.
  for (const path of ["stats.json", "logging/level"]) {
    const response = await send(path);
    status = response.status;
    if (status === 200) {
      return "";
    }
    if (status === 429) {
      return `Too many wrong secrets came from your address. Wait ${response.retryAfter || 60} s.`;
    }
  }
  return [401, 403, 404].includes(status) ? "This secret is wrong." : `The service answered with ${status}.`;
}

async function signIn(text) {
  secret.set(text);
  let problem;
  try {
    problem = await tryOut();
  } catch (error) {
    problem = `No answer from ${location.host} (${error.message}).`;
  }
  if (problem) {
    signOut(problem);
    return;
  }
  byId("secret").value = "";
  showBoard(true);
  runAll();
}

function signOut(problem = "") {
  secret.forget();
  if (groups.some((group) => group.polls > 0)) {
    // Nothing of the service is left on a screen that is signed out.
    sessionStorage.setItem(problemKey, problem);
    location.reload();
    return;
  }
  showBoard(false);
  byId("secret-problem").textContent = problem;
  byId("secret").focus();
  byId("secret").select();
}

function showBoard(isIn) {
  byId("sign-in").hidden = isIn;
  byId("board").hidden = !isIn;
  byId("actions").hidden = !isIn;
}

function say(group, text) {
  group.notice = text;
  const first = groups.map((one) => one.notice).find(Boolean) ?? "";
  // A text that is set again would be read aloud again.
  if (byId("notice").textContent !== first) {
    byId("notice").textContent = first;
  }
}

byId("host").textContent = location.host;
byId("secret-form").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(byId("secret").value);
});
byId("sign-out").addEventListener("click", () => signOut());
byId("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  byId("pause").textContent = isPaused ? "Continue" : "Pause";
  runAll();
});
document.addEventListener("visibilitychange", () => {
  if (!byId("board").hidden) {
    runAll();
  }
});

if (secret.get() === null) {
  signOut(sessionStorage.getItem(problemKey) ?? "");
  sessionStorage.removeItem(problemKey);
} else {
  signIn(secret.get());
}
