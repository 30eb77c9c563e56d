//! How the page looks: light and dark, on paper, on a narrow screen.
//!
//! The colours of lines are those of Okabe and Ito, which people with any colour vision tell apart; in the dark some are
//! lighter.

/// The style sheet. Fetches nothing.
pub const STYLE: &str = r"
:root { color-scheme: light dark; --page: #fff; --text: #1a1a1a; --soft: #595959; --line: #d4d4d4; --panel: #f6f6f6; --good: #00634a; --bad: #a33c00;
  --c0: #0072b2; --c1: #d55e00; --c2: #00805c; --c3: #b0508a; --c4: #a86e00; --c5: #2788bd; --c6: #666; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181b; --text: #e8e8e8; --soft: #a9adb3; --line: #3c4046; --panel: #1f2226; --good: #4fd0a5; --bad: #ff9a5c;
    --c0: #4fa8e0; --c1: #ff8a3d; --c2: #2fc295; --c3: #e59ac8; --c4: #e6b23c; --c5: #8fd0f5; --c6: #b5b5b5; }
}
@media print {
  :root { --page: #fff; --text: #000; --soft: #444; --line: #bbb; --panel: #fff; --good: #00634a; --bad: #a33c00;
    --c0: #0072b2; --c1: #d55e00; --c2: #00805c; --c3: #b0508a; --c4: #a86e00; --c5: #2788bd; --c6: #666; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 3rem; max-width: 1320px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
h4 { font-size: 1rem; margin: 0; }
p { margin: .25rem 0 .75rem; max-width: 75ch; }
.soft, figcaption p { color: var(--soft); }
.met { color: var(--good); font-weight: 600; }
.unmet, .warning { color: var(--bad); font-weight: 600; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
nav ul, .legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; list-style: none; margin: .5rem 0; padding: 0; }
a { color: inherit; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 34rem), 1fr)); gap: 1.5rem; }
.plot { margin: 0; padding: .9rem 1rem; border: 1px solid var(--line); border-radius: 8px; min-width: 0; max-width: 50rem; break-inside: avoid; }
figcaption p { font-size: .85rem; margin: .15rem 0 .25rem; }
.legend { font-size: .85rem; }
.legend li { display: flex; align-items: center; gap: .4rem; overflow-wrap: anywhere; }
.legend svg { flex: none; }
.wide { overflow-x: auto; margin-bottom: 1rem; }
.plot > svg { display: block; width: 100%; height: auto; }
svg text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: var(--soft); }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); fill: none; }
.mark path { stroke: var(--soft); stroke-dasharray: 2 3; } .mark text { fill: var(--text); font-weight: 600; }
.curve { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.asked { stroke-width: 1.6; stroke-dasharray: 6 4; stroke-linecap: butt; }
.again { stroke-dasharray: 10 3 2 3; }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); } .s3 { stroke: var(--c3); }
.s4 { stroke: var(--c4); } .s5 { stroke: var(--c5); } .s6 { stroke: var(--c6); }
details { font-size: .85rem; } summary { cursor: pointer; color: var(--soft); }
details .wide { max-height: 22rem; overflow: auto; }
table { border-collapse: collapse; font-size: .88rem; min-width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
thead th { background: var(--panel); position: sticky; top: 0; }
.numbers th, .numbers td, .time { white-space: nowrap; text-align: right; font-variant-numeric: tabular-nums; }
.timeline td.told { min-width: 18rem; }
.marks { padding: 0; list-style: none; font-size: .9rem; }
.marks li { display: grid; grid-template-columns: 2rem 5.5rem 1fr; gap: .5rem; padding: .15rem 0; }
.marks .time { text-align: left; } .marks b { text-align: right; } .marks div { overflow-wrap: anywhere; }
code { font-family: ui-monospace, 'DejaVu Sans Mono', monospace; font-size: .92em; overflow-wrap: break-word; }
.expectations td:nth-child(4), .expectations td:nth-child(5):not(:empty), .timeline td:nth-child(4):not(:empty) { min-width: 16rem; }
:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
@media (max-width: 40rem) {
  body { padding: 1rem .75rem 2rem; } .plot { padding: .7rem .5rem; } svg text { font-size: 18px; }
  .marks li { grid-template-columns: 1.6rem 1fr; } .marks div { grid-column: 2; }
}
@media print {
  html { font-size: 11px; } body { max-width: none; padding: 0; font-size: 11px; } nav, details { display: none; }
  h2, h3 { break-after: avoid; } svg text { font-size: 18px; }
  .plots { grid-template-columns: 1fr 1fr; gap: 1rem; }
  thead { display: table-header-group; } thead th { position: static; } tr { break-inside: avoid; } .wide { overflow: visible; }
}
";
