"""One look for every page: light and dark, screen, phone and paper. Nothing is loaded from anywhere."""

_LIGHT = """--ink: #1c2430; --soft: #55606f; --line: #d8dee6; --paper: #fff; --wash: #f4f6f9;
  --good: #0f7a57; --bad: #b3261e; --wait: #8a5c00; --mark: #2458c7; --other: #6b5b4b"""
_DARK = """--ink: #e6eaf0; --soft: #a3aebc; --line: #38414d; --paper: #14181d; --wash: #1c2229;
  --good: #4cc38a; --bad: #ff8a80; --wait: #e0b04c; --mark: #8ab0ff; --other: #d3b899"""

_PAGE = """
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; overflow-wrap: break-word }
bdi, code, .scroll td, .scroll th { overflow-wrap: anywhere } .scroll td, .scroll th { min-width: 6rem }
h1 { font-size: 1.6rem; line-height: 1.3; margin: 0 0 .5rem }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem } h3 { font-size: 1rem; margin: 1.1rem 0 .2rem }
p, ul, ol { margin: .5rem 0 } ul, ol { padding-left: 1.3rem }
.verdict { border-left: .4rem solid var(--wait); background: var(--wash); padding: 1rem 1.2rem; border-radius: .3rem }
.verdict.good { border-color: var(--good) } .verdict.bad { border-color: var(--bad) }
.verdict strong { font-size: 1.3rem; line-height: 1.4; font-weight: 600 } .soft { color: var(--soft) }
.verdict .outcome { font-weight: 700; margin: 0 } p.soft { font-size: .9rem }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 600 } tbody th { color: var(--ink); font-weight: 500 }
.number { text-align: right; white-space: nowrap }
.scroll { overflow-x: auto }
a { color: var(--mark) } details { color: var(--soft) } summary { cursor: pointer }
details { margin: 2rem 0 } dt { font-weight: 600; color: var(--ink) } dd { margin: 0 0 .6rem }
.good { color: var(--good) } .bad { color: var(--bad) } .wait { color: var(--wait) }
.verdict.good, .verdict.bad, .verdict.wait { color: inherit }
code { background: var(--wash); padding: .1em .3em; border-radius: .2em; font-size: .9em }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif }
figure:not(.chart) { margin: 1.5rem 0; background: #fff; border-radius: .3rem }
figure:not(.chart) svg { max-width: 100%; height: auto }
figure:not(.chart) svg text { fill: #1c2430 }
"""

_REPORT = """
.glance { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .6rem; margin: 1rem 0 }
.glance div { border: 1px solid var(--line); border-radius: .3rem; padding: .5rem .8rem }
.glance dt { color: var(--soft); font-weight: 400; font-size: .85rem } .glance dd { margin: 0; font-weight: 600 }
.lights { list-style: none; padding: 0 }
.lights > li { display: flex; gap: .7rem; padding: .5rem 0; border-bottom: 1px solid var(--line); color: inherit }
.lights > li > div { flex: 1; min-width: 0 }
.lamp { flex: none; width: 1.6rem; height: 1.6rem; border-radius: 50%; border: 2px solid; text-align: center;
  line-height: 1.35rem; font-weight: 700 }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 1.6rem }
.chart { margin: .6rem 0; break-inside: avoid; min-width: 0; flex: 1 1 min(100%, 17rem) }
.chart.wide { flex-basis: 100% }
.chart svg, .forest svg, .meter { display: block; overflow: visible }
.chart p.soft { margin: .2rem 0 } .phases { font-size: .9rem }
figcaption { font-weight: 600 } .chart text { font-size: 12px }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; font-size: .93rem } .key svg { vertical-align: middle }
text.mid { text-anchor: middle } text.end { text-anchor: end } text.start { text-anchor: start }
svg text.soft { fill: var(--soft) }
.chart path, .key path { fill: none; vector-effect: non-scaling-stroke }
.line { stroke-width: 2; stroke-linejoin: round } .thin { stroke-width: 1.2; opacity: .55 }
.dots { stroke-width: 7; stroke-linecap: round } .dots.champion { stroke-linecap: square; stroke-width: 5.5 }
.champion { stroke: var(--other) } .challenger { stroke: var(--mark) }
.line.champion { stroke-dasharray: 6 3 } .line.ideal, .rule.ideal { stroke: var(--soft); stroke-dasharray: 1 4 }
.chart path.band { stroke: none; opacity: .2 } .chart .band.champion { fill: var(--other) }
.chart .band.challenger { fill: var(--mark) }
.grid { stroke: var(--line); stroke-width: 1; opacity: .7 } .frame, .rule.zero { stroke: var(--soft); stroke-width: 1 }
.rule.zero { stroke-width: 1.5; stroke: var(--ink) }
.rule.phase { stroke: var(--wait); stroke-width: 1.2; stroke-dasharray: 3 3 }
.forest td, .forest th { vertical-align: middle; padding: .25rem .5rem } .forest td.bar { width: 30%; padding: 0 }
.forest tr.head th { padding-top: 1.1rem; color: var(--soft); font-weight: 600 }
.forest td.effect { font-size: .86rem; min-width: 13.2rem }
.interval { display: inline-block }
.forest td:last-child { white-space: nowrap }
.forest tbody th[scope=row] { min-width: 6.5rem; font-weight: 600 } .forest thead th { border-bottom-width: 2px }
.forest .ruler td { border-bottom: 0 } .forest .zero { stroke: var(--ink); stroke-width: 1 }
.forest .tick { stroke: var(--soft); stroke-width: 1 } .forest text { font-size: 11.5px }
.forest .margin, .meter .margin { stroke: var(--wait); stroke-width: 2.5; stroke-dasharray: 4 2 }
line.bar { stroke-width: 4 } .arrow { fill: none; stroke-width: 3 }
line.good, .arrow.good { stroke: var(--good) } line.bad, .arrow.bad { stroke: var(--bad) }
line.open, .arrow.open { stroke: var(--mark) }
.phone { display: none }
circle.good { fill: var(--good) } circle.bad { fill: var(--bad) } circle.open { fill: var(--mark) }
.meter .trough { fill: var(--line) } .meter .full { fill: var(--mark) }
.meter .margin { stroke: var(--ink) }
.psi.bad { fill: var(--bad) } .psi.wait { fill: var(--wait) } .psi.calm { fill: var(--soft); fill-opacity: .35 }
.chance { stroke: var(--ink); stroke-width: 1.5 } .heat { fill: var(--bad) } .heat.moved { stroke: var(--ink) }
"""

_PHONE = """
@media screen and (max-width: 50rem) {
  main { padding: 1rem .9rem 3rem } h1 { font-size: 1.3rem } .verdict { padding: .8rem .9rem }
  .verdict strong { font-size: 1.12rem }
  .forest thead { display: none } .phone { display: inline }
  .forest tr { display: grid; grid-template-columns: 1fr auto; border-bottom: 1px solid var(--line); padding: .5rem 0 }
  .forest tr.ruler { display: block; border: 0; padding: 0 0 .6rem } .forest tr.head { display: block; border: 0 }
  .forest th, .forest td, .forest td.effect { border: 0; padding: 0; min-width: 0 }
  .forest td.bar { grid-column: 1 / -1; width: auto; display: block }
  .forest th[scope=row] { order: -2; font-weight: 600 } .forest td:last-child { order: -1 }
  .forest td.number { text-align: left; font-size: .85rem; color: var(--soft); white-space: normal }
  .forest td.number::before { content: attr(data-head) " " } .forest td.effect { grid-column: 1 / -1 }
  .forest .ruler td:not(.bar) { display: none }
  .stack thead, .stack td:empty { display: none } .stack tr { display: block; border-bottom: 1px solid var(--line) }
  .stack tr { padding: .5rem 0 } .stack tbody th { font-weight: 600 }
  .stack td, .stack th { display: block; border: 0; padding: 0; min-width: 0; text-align: left; white-space: normal }
  .stack td::before { content: attr(data-head) ": "; color: var(--soft) }
}
"""

_PAPER = """
@media print {
  @page { size: A4; margin: 14mm }
  body { font-size: 10.5pt } main { max-width: none; padding: 0 } h2 { margin-top: 1.4rem; break-after: avoid }
  section.verdict, .glance, tr, li, figure { break-inside: avoid } thead { display: table-header-group }
  table { font-size: 9pt } .forest { font-size: 8.5pt } .forest th, .forest td { padding: .1rem .3rem }
  .forest td.effect, .forest tbody th[scope=row] { min-width: 0 } .forest td.effect { font-size: 8pt }
  .forest td.bar { width: 33% } .scroll td, .scroll th { min-width: 5.9em; padding: .2rem .35rem }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact } .scroll { overflow: visible }
}
"""

STYLE = (
    f"\n:root {{ color-scheme: light dark; {_LIGHT} }}\n"
    f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}"
    f"{_PAGE}{_REPORT}{_PHONE}{_PAPER}"
)
