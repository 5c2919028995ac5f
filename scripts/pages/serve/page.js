/** The page of `offheap serve`: what it shows by its address, and how it is kept up to date. */
import { NotPermitted, takeToken } from "./api.js";
import { element, setMessage } from "./dom.js";
import { listView } from "./list.js";
import { processView } from "./process.js";

/** How often figures are read, in milliseconds. */
const EVERY = 2000;

const main = document.getElementById("main");
const machine = document.getElementById("machine");
let view = null;
let timer;
let round = 0;

function viewOf(hash) {
  const [, pid] = /^#\/process\/(\d+)$/.exec(hash) ?? [];
  return pid === undefined ? listView() : processView(pid);
}

/** Asks for a token where none, or a wrong one, came with the address. */
function askForToken() {
  const input = element("input", {
    name: "token",
    type: "password",
    autocomplete: "off",
    required: "",
  });
  const form = element(
    "form",
    { class: "tools" },
    element("label", {}, "Token ", input),
    element("button", {}, "Open"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    takeToken(input.value);
    show();
  });
  main.replaceChildren(form);
  machine.textContent = "";
  setMessage(
    "Nothing is shown without the token: it is in the address that offheap serve printed.",
  );
}

async function update(own) {
  let again = true;
  try {
    const words = await view.update();
    if (own !== round) return;
    machine.textContent = words;
    if (view.problem === null) setMessage("");
  } catch (error) {
    if (own !== round) return;
    if (error instanceof NotPermitted) {
      askForToken();
      again = false;
    } else setMessage(error.message);
  }
  if (again) timer = setTimeout(() => update(own), EVERY);
}

function show() {
  clearTimeout(timer);
  view?.close();
  round++;
  view = viewOf(location.hash);
  main.replaceChildren(view.root);
  setMessage("");
  update(round);
}

/** What the address has; a percent sign that begins nothing is itself. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The token is taken out of the address, so that it is not shown, kept or sent on. */
function readAddress() {
  const [, token] = /^#token=(.+)$/.exec(location.hash) ?? [];
  if (token === undefined) return;
  takeToken(decoded(token));
  history.replaceState(null, "", "#/");
}

readAddress();
addEventListener("hashchange", () => {
  readAddress();
  show();
  document.querySelector("h2")?.focus();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (document.visibilityState === "visible" && view !== null) update(++round);
});
show();
