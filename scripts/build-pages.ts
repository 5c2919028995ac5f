/**
 * Makes what runs in the pages of `offheap heap --html` and `offheap serve` from `scripts/pages`,
 * d3-flame-graph and uPlot: `npm run build:pages`, which `npm ci` does, too. What is made has code of others
 * in it and is not committed.
 *
 * @module
 */
import { Command } from "commander";
import { makePages } from "./pages/make.ts";

new Command("npm run build:pages --").description("Makes what runs in the pages.").parse();
for (const path of await makePages()) console.log(`made ${path}`);
