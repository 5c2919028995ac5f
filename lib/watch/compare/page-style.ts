/**
 * How pages with charts look, light and dark, wide and narrow.
 *
 * @module
 */

/**
 * The colours, for light and for dark. The lines' are Okabe and Ito's, which people with any kind of
 * colour vision can distinguish.
 */
export const COLOURS: string = `
:root { color-scheme:light dark;
  --page:#fff; --text:#1b1f24; --quiet:#5c6670; --line:#d5dae0; --band:#eef1f4;
  --good:#1a7f37; --bad:#c0262d;
  --c0:#0072b2; --c1:#d55e00; --c2:#009e73; --c3:#cc79a7; --c4:#e69f00; --c5:#56b4e9; --c6:#8c6d1f;
  --c7:#7a7a7a }
@media (prefers-color-scheme: dark) {
  :root { --page:#14171b; --text:#e6e9ed; --quiet:#9aa4af; --line:#39414a; --band:#242a31;
    --good:#4cc26b; --bad:#ff7b72 }
}
`;

/** A page's style sheet, its charts' included. */
export const PAGE_STYLE: string = `${COLOURS}
body { background:var(--page); color:var(--text); font:16px/1.5 system-ui,sans-serif;
  max-width:64rem; margin:0 auto; padding:1rem }
h1 { font-size:1.4rem; overflow-wrap:anywhere } h2 { font-size:1.05rem; margin:2rem 0 .5rem }
p { color:var(--quiet); margin:.3rem 0; overflow-wrap:anywhere }
.advice { color:var(--text); border-left:4px solid var(--good); padding:.3rem .8rem }
.group { font-weight:600; margin-top:.5rem }
.row { display:grid; grid-template-columns:12rem minmax(8rem,1fr) 22rem; gap:1rem; align-items:center;
  padding:.15rem 0; --dot:var(--quiet) }
.words { color:var(--quiet); font-size:.9rem; font-variant-numeric:tabular-nums }
.better { --dot:var(--good) } .worse { --dot:var(--bad) }
.better .words { color:var(--good) } .worse .words { color:var(--bad) }
.track { position:relative; height:1.2rem; border-bottom:1px solid var(--line) }
.track i, .track .sign { position:absolute; top:50% }
.ratios .track::after { content:""; position:absolute; left:50%; top:0; bottom:0;
  border-left:1px solid var(--quiet); opacity:.6 }
.interval, .dot { z-index:1 }
.band { background:var(--band); height:100%; transform:translateY(-50%) }
.interval { background:var(--dot); height:3px; transform:translateY(-50%) }
.dot { background:var(--dot); width:9px; height:9px; border-radius:50%; transform:translate(-50%,-50%) }
.bar { height:70%; transform:translateY(-50%) }
.range { background:var(--dot); opacity:.5; height:1px }
.track .sign { color:var(--dot); font-weight:400; font-size:.8rem; line-height:1;
  transform:translate(-50%,-50%) }
.noise { opacity:.75 }
.scale .track { border:0 } .scale .track::after { display:none }
.scale b, .heights b, .times b { position:absolute; font-weight:400; font-size:.8rem; color:var(--quiet);
  white-space:nowrap }
.scale b, .times b { transform:translateX(-50%) }
.legend { list-style:none; display:flex; flex-wrap:wrap; gap:.3rem 1.2rem; padding:0; margin:.3rem 0 }
.legend svg { vertical-align:middle; margin-right:.4rem } .legend line { stroke-width:3 }
.curve { display:grid; grid-template-columns:4.5rem 1fr; column-gap:.4rem }
.heights, .area, .times { position:relative }
.heights b { right:0; transform:translateY(50%) }
.times { grid-column:2; height:1.4rem }
.area svg { display:block; position:relative; width:100%; height:16rem;
  border-left:1px solid var(--line); border-bottom:1px solid var(--line) }
.area polyline { fill:none; stroke-width:2; vector-effect:non-scaling-stroke }
.phase { position:absolute; top:0; bottom:0; overflow:hidden; text-align:center; font-style:normal;
  font-size:.75rem; line-height:1; white-space:nowrap; color:var(--quiet) }
.odd { background:var(--band) }
@media (max-width: 48rem) { .row { grid-template-columns:1fr; gap:.1rem; margin-bottom:.5rem }
  .scale { margin-top:-.4rem } }
`;
