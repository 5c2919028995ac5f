/**
 * Who may ask what. Nothing here reads or writes: a request in, a refusal or none out.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { hostname } from "node:os";

/** What is decided by of a request. */
export interface RequestFacts {
  /** Its method. */
  readonly method: string;
  /** The header `Host`, and how many there were. */
  readonly host: readonly string[];
  /** The header `Origin`. */
  readonly origin: string | undefined;
  /** The header `Sec-Fetch-Site`, by which browsers say where a request comes from. */
  readonly site: string | undefined;
  /** The header `Authorization`. */
  readonly authorization: string | undefined;
}

/** What is allowed. */
export interface AccessRules {
  /** The token that is asked for; `null` where none is. */
  readonly token: string | null;
  /** Whether the server speaks TLS. */
  readonly tls: boolean;
  /** The names by which it may be called, beside addresses, `localhost` and the machine's own. */
  readonly names: readonly string[];
}

/** Why a request is refused. */
export interface Refusal {
  /** The HTTP status. */
  readonly status: 400 | 401 | 403 | 405 | 421;
  /** Why. */
  readonly message: string;
}

/** Digests have one length, so that comparing takes the same time for any token. */
function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function isToken(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1] ?? "";
  return timingSafeEqual(digest(given), digest(token));
}

/** The name in a header `Host`, without the port; `null` where it is malformed. */
function hostName(host: string): string | null {
  const [, bracketed, plain] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::\d{1,5})?$/.exec(host) ??
      [];
  return bracketed ?? plain?.toLowerCase().replace(/\.$/, "") ?? null;
}

/**
 * Whether a server may be called by a name. A page of somebody else's can have its own name lead to
 * this machine (DNS rebinding), and is of the same origin then; no such name is an address.
 */
function isKnownName(name: string, names: readonly string[]): boolean {
  if (isIP(name) !== 0) return true;
  return ["localhost", hostname().toLowerCase(), ...names.map((each) => each.toLowerCase())]
    .includes(name);
}

/** What another page may not have a browser do for it. */
function isFromAnotherSite({ origin, site }: RequestFacts, host: string, tls: boolean): boolean {
  if (origin !== undefined && origin !== `${tls ? "https" : "http"}://${host}`) return true;
  // Typed into the address bar it is "none".
  return site !== undefined && !["same-origin", "none"].includes(site);
}

/**
 * Why a request is refused before anybody looks at what it asks; `null` where it is not.
 *
 * @param isOpen Whether what is asked for needs no token: the page itself, which holds no figures.
 */
export function refusalOf(
  facts: RequestFacts,
  { token, tls, names }: AccessRules,
  isOpen: boolean,
): Refusal | null {
  const [host = "", ...others] = facts.host;
  const name = hostName(host);
  if (others.length > 0 || name === null) {
    return { status: 400, message: "the request must have one header Host" };
  }
  if (!isKnownName(name, names)) {
    return {
      status: 421,
      message: `this server is not called "${name}"; --name lets it be called so`,
    };
  }
  if (isFromAnotherSite(facts, host, tls)) {
    return { status: 403, message: "the request comes from another site's page" };
  }
  if (token !== null && !isOpen && !isToken(facts.authorization, token)) {
    return {
      status: 401,
      message:
        "the request must have the header Authorization: Bearer TOKEN, with the token that " +
        "offheap serve printed, or that is in its --token-file",
    };
  }
  return null;
}
