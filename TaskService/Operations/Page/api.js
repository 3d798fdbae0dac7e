// Requests to the endpoints beside this page. The secret is in the session storage of the tab and in one header.

const base = new URL(".", import.meta.url);
const storageKey = `operations-secret ${base.pathname}`;

export const secret = {
  get: () => sessionStorage.getItem(storageKey),
  set: (text) => sessionStorage.setItem(storageKey, text),
  forget: () => sessionStorage.removeItem(storageKey),
};

/**
 * Sends a request; rejects only when there was no response.
 * @param {string} path below the base path
 * @returns {Promise<{status: number, body: any, retryAfter: number}>} a body that is no JSON is null; retryAfter is in
 *   seconds
 */
export async function send(path, method = "GET") {
  const response = await fetch(new URL(path, base), {
    method,
    headers: { "X-API-Key": headerOf(secret.get() ?? "") },
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
  });
  const body = await response.json().catch(() => null);
  return { status: response.status, body, retryAfter: Number(response.headers.get("Retry-After")) || 0 };
}

// A header takes bytes, each as a character: those of UTF-8.
function headerOf(text) {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

/** Whether a path is one of those that this page polls, which would otherwise show itself. */
export function isOfThisPage(path) {
  return /\/(stats\.json|requests\.json|versions\.json|health_check|logging\/level)$/.test(path.split("?")[0]);
}
