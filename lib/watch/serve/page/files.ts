/**
 * The page's files. They hold no figures: those come by `/api`, with the token.
 *
 * @module
 */
import { PAGE_SCRIPT } from "./script.ts";
import { PAGE_STYLE } from "./style.ts";

/** A file as it is served. */
interface PageFile {
  /** Its media type. */
  readonly type: string;
  /** What is in it. */
  readonly body: string;
}

const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>offheap</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<header>
<h1><a href="#/">offheap</a></h1>
<p id="machine"></p>
</header>
<p id="message" role="alert"></p>
<main id="main"><noscript><p>The page needs JavaScript.</p></noscript></main>
</body>
</html>
`;

/** The files by their names; the page itself has none. */
export const PAGE_FILES: Readonly<Record<string, PageFile>> = {
  "": { type: "text/html; charset=utf-8", body: HTML },
  "page.js": { type: "text/javascript; charset=utf-8", body: PAGE_SCRIPT },
  "page.css": { type: "text/css; charset=utf-8", body: PAGE_STYLE },
};
