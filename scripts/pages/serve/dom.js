/** Elements and figures. Text is set as text: what processes call themselves is never markup. */

/** An element with its attributes, and what is in it. */
export function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

/** Sets a text only where it is another one, so that nothing is read out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets a text as setText does; what is between backticks in it is a command. */
export function setWords(node, text) {
  const pieces = text.split("`");
  if (node.textContent === pieces.join("")) return;
  node.replaceChildren(
    ...pieces.map((piece, index) => index % 2 === 1 ? element("code", {}, piece) : piece),
  );
}

/** Says what is wrong, or what came of something. */
export function setMessage(text) {
  setText(document.getElementById("message"), text);
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes with the unit that makes a short number. */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0) return `-${bytes(-value)}`;
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** How a verdict is coloured. */
export function toneOf(verdict) {
  if (verdict === "healthy") return "good";
  return ["cannot tell", "too small to tell"].includes(verdict) ? "quiet" : "doubtful";
}

const TIMES = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** A time in its largest unit. */
export function age(seconds) {
  const [unit, size] = TIMES.find(([, each]) => seconds >= each) ?? ["s", 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}
