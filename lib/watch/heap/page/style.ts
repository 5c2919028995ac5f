/**
 * How the page of a heap profile looks, light and dark, wide and narrow.
 *
 * @module
 */

/** The page's style sheet. */
export const PAGE_STYLE: string = `
:root { --page:#fff; --text:#1b1f24; --quiet:#5c6670; --line:#d5dae0 }
@media (prefers-color-scheme: dark) {
  :root { --page:#14171b; --text:#e6e9ed; --quiet:#9aa4af; --line:#39414a }
}
* { box-sizing:border-box }
body { background:var(--page); color:var(--text); font:16px/1.5 system-ui,sans-serif; margin:0 auto;
  max-width:100rem; padding:1rem }
h1 { font-size:1.3rem; overflow-wrap:anywhere; margin:0 0 .5rem } h2 { font-size:1.05rem; margin:2rem 0 .5rem }
p { color:var(--quiet); margin:.3rem 0; overflow-wrap:anywhere }
form { display:flex; flex-wrap:wrap; gap:.4rem 1.4rem; align-items:center; margin:1rem 0 .5rem }
input[type=search], select { font:inherit; color:inherit; background:var(--page); max-width:100%;
  border:1px solid var(--line); border-radius:4px; padding:.2rem .5rem }
.legend { list-style:none; display:flex; flex-wrap:wrap; gap:.2rem 1.2rem; padding:0; margin:.3rem 0;
  font-size:.9rem; color:var(--quiet) }
.legend li::before { content:""; display:inline-block; width:.8rem; height:.8rem; margin-right:.4rem;
  vertical-align:-.05rem; background:var(--c) }
.javascript { --c:hsl(36 85% 62%) } .native { --c:hsl(205 60% 66%) } .runtime { --c:hsl(220 8% 76%) }
#details { color:var(--text); min-height:3em; font-variant-numeric:tabular-nums }
#chart { overflow:hidden } #chart svg { display:block }
#chart rect { stroke:var(--page); stroke-width:1 } #chart g:hover rect { stroke:var(--text) }
#chart .frame { cursor:pointer } #chart .fade { opacity:.6 } #chart .title { display:none }
.d3-flame-graph-label { color:#14171b; font-size:12px; line-height:20px; margin:0 4px; white-space:nowrap;
  overflow:hidden; text-overflow:ellipsis }
.table { overflow-x:auto } table { border-collapse:collapse; font-size:.9rem }
th, td { text-align:right; padding:.15rem .8rem .15rem 0; font-variant-numeric:tabular-nums;
  white-space:nowrap; font-weight:400 }
th { color:var(--quiet); border-bottom:1px solid var(--line) } th:last-child, td:last-child { text-align:left }
@media (max-width:40rem) { td:last-child { white-space:normal; overflow-wrap:anywhere } }
`;
