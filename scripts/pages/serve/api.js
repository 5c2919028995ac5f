/** Asking the server: each question has the token in a header, which no other site's page can set. */

const KEY = "offheap-token";

/** The token is missing or wrong. */
export class NotPermitted extends Error {}

/** Keeps the token for as long as the tab is open. */
export function takeToken(token) {
  sessionStorage.setItem(KEY, token.trim());
}

/** What the server answers; throws what it says when it refuses. */
export async function call(path, method = "GET") {
  const token = sessionStorage.getItem(KEY) ?? "";
  let response;
  try {
    response = await fetch(path, { method, headers: { Authorization: `Bearer ${token}` } });
  } catch {
    throw new Error("The server does not answer. It may have been ended.");
  }
  if (response.status === 401) throw new NotPermitted();
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `status ${response.status}`);
  return answer;
}
