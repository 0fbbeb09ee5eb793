// Requests to the server, with its errors as Problem, and a session where it wants one.

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const BUSY_TRIES = 3;
const access = { requestToken: null };  // asks for the token and resolves to whether a session has begun

export function onTokenNeeded(requestToken) {
  access.requestToken = requestToken;
}

// Parameters as the API takes them: a list becomes a parameter that is repeated, what is empty is left out.
export function toQuery(parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "" && one !== false) query.append(name, one);
    }
  }
  return query.toString();
}

export const get = (path, parameters = {}, signal = undefined) =>
  request(`/api/${path}${Object.keys(parameters).length ? `?${toQuery(parameters)}` : ""}`, { signal });

export const post = (path, body) => request(`/api/${path}`, {
  method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
});

export const postFile = (path, file) => request(`/api/${path}`, {
  method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" },
});

async function request(address, options, tries = 0) {
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The server does not answer. Is `beet resonance serve` still running?");
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  const problem = await readProblem(response);
  if (problem.status === 401 && access.requestToken && address !== "/api/session" && !tries && await access.requestToken(problem.message)) {
    return request(address, options, 1);
  }
  if (problem.status === 503 && tries < BUSY_TRIES) {
    await new Promise((done) => setTimeout(done, 700 * (tries + 1)));
    return request(address, options, tries + 1);
  }
  throw problem;
}

async function readProblem(response) {
  try {
    const { title, detail } = await response.json();
    return new Problem(response.status, detail || `${title}.`);
  } catch {
    return new Problem(response.status, `The server answered with status ${response.status}.`);
  }
}

// A token after # is taken over into a session, and out of the address, where others might read it.
export async function beginSessionFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1)), token = fragment.get("token");
  if (!token) return;
  fragment.delete("token");
  history.replaceState(null, "", `${location.pathname}${fragment.size ? `#${fragment}` : ""}`);
  await post("session", { token }).catch(() => {});  // a request that needs it asks again
}

export const audioOf = (track) => `/api/tracks/${track.id}/audio`;
export const coverOf = (track) => `/api/tracks/${track.id}/cover`;
