/**
 * How a comparison's page looks, light and dark, wide and narrow.
 *
 * @module
 */

/** The page's style sheet. The curves' colours are Okabe and Ito's, which colour-blind people can tell. */
export const PAGE_STYLE: string = `
:root { --page:#fff; --text:#1b1f24; --quiet:#5c6670; --line:#d5dae0; --band:#eef1f4;
  --good:#1a7f37; --bad:#c0262d; --dot:#5c6670 }
@media (prefers-color-scheme: dark) {
  :root { --page:#14171b; --text:#e6e9ed; --quiet:#9aa4af; --line:#39414a; --band:#242a31;
    --good:#4cc26b; --bad:#ff7b72; --dot:#9aa4af }
}
body { background:var(--page); color:var(--text); font:16px/1.5 system-ui,sans-serif;
  max-width:64rem; margin:0 auto; padding:1rem }
h1 { font-size:1.4rem; overflow-wrap:anywhere } h2 { font-size:1.05rem; margin:2rem 0 .5rem }
p { color:var(--quiet); margin:.3rem 0; overflow-wrap:anywhere }
.advice { color:var(--text); border-left:4px solid var(--good); padding:.3rem .8rem }
.row { display:grid; grid-template-columns:12rem minmax(8rem,1fr) 22rem; gap:1rem; align-items:center;
  padding:.15rem 0; --dot:var(--quiet) }
.words { color:var(--quiet); font-size:.9rem; font-variant-numeric:tabular-nums }
.better { --dot:var(--good) } .worse { --dot:var(--bad) }
.better .words { color:var(--good) } .worse .words { color:var(--bad) }
.track { position:relative; height:1.2rem; border-bottom:1px solid var(--line) }
.track i { position:absolute; top:50% }
.track::before { content:""; position:absolute; left:50%; top:0; bottom:0; border-left:1px solid var(--line) }
.band { background:var(--band); height:100%; transform:translateY(-50%) }
.interval { background:var(--dot); height:3px; transform:translateY(-50%) }
.dot { background:var(--dot); width:9px; height:9px; border-radius:50%; transform:translate(-50%,-50%) }
.noise { opacity:.75 }
.scale .track { border:0 } .scale .track::before { display:none }
.scale b { position:absolute; font-weight:400; font-size:.8rem; color:var(--quiet) }
.scale .middle { left:50%; transform:translateX(-50%) }
.legend { list-style:none; display:flex; flex-wrap:wrap; gap:.3rem 1.2rem; padding:0; margin:.3rem 0 }
.legend i { display:inline-block; width:1.4rem; height:3px; vertical-align:middle; margin-right:.4rem;
  background:var(--c) }
.curve { position:relative } .curve svg { display:block; width:100%; height:16rem;
  border-left:1px solid var(--line); border-bottom:1px solid var(--line) }
.curve .top { position:absolute; left:.4rem; top:0; font-weight:400; font-size:.8rem; color:var(--quiet) }
.curve polyline { fill:none; stroke:var(--c); stroke-width:2; vector-effect:non-scaling-stroke }
.ends { display:flex; justify-content:space-between; font-size:.8rem }
.c0 { --c:#0072b2 } .c1 { --c:#d55e00 } .c2 { --c:#009e73 } .c3 { --c:#cc79a7 }
.c4 { --c:#e69f00 } .c5 { --c:#56b4e9 } .c6 { --c:#8c6d1f } .c7 { --c:#7a7a7a }
@media (max-width: 48rem) { .row { grid-template-columns:1fr; gap:.1rem; margin-bottom:.5rem }
  .scale { margin-top:-.4rem } }
`;
