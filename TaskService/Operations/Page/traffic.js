// Rates, statuses and latencies of the time between two polls, from counters that only grow.

import { isOfThisPage } from "./api.js";

const groups = ["s2xx", "s3xx", "s4xx", "s5xx"];

/** Requests that were counted between two polls of stats.json. */
export class Traffic {
  #counts = null;
  #time = 0;

  /**
   * @param {object} timers those of stats.json, whose keys of requests are route/METHOD/ROUTE/STATUS
   * @param {number} now in ms
   * @returns {?object} requests a second in all and by the first digit of the status; null at the first poll
   */
  update(timers, now) {
    const counts = new Map();
    for (const [key, timer] of Object.entries(timers)) {
      const found = /^route\/[^/]+(\/.*|[^/]*)\/(\d{3})$/.exec(key);
      if (found && !isOfThisPage(found[1])) {
        counts.set(key, { group: `s${found[2][0]}xx`, nb: timer.nb });
      }
    }
    const before = this.#counts;
    const seconds = (now - this.#time) / 1000;
    this.#counts = counts;
    this.#time = now;
    if (before === null || seconds <= 0) {
      return null;
    }
    const sample = { time: now, rate: 0, s2xx: 0, s3xx: 0, s4xx: 0, s5xx: 0 };
    for (const [key, { group, nb }] of counts) {
      const known = before.get(key)?.nb ?? 0;
      // Fewer than before: the counters were reset, or the service restarted.
      const rate = (nb >= known ? nb - known : nb) / seconds;
      sample.rate += rate;
      if (groups.includes(group)) {
        sample[group] += rate;
      }
    }
    return sample;
  }
}

/**
 * Percentiles of the requests that were recorded since the last poll, by the nearest rank.
 * @param {{time_ms: number}[]} requests
 * @returns {{p50: ?number, p90: ?number, p99: ?number}} in ms; null for none
 */
export function percentiles(requests) {
  const times = requests.map((request) => request.time_ms).sort((a, b) => a - b);
  const at = (share) => (times.length === 0 ? null : times[Math.ceil(share * times.length) - 1]);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
