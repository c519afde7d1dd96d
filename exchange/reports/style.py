"""How a report looks, on a screen and on A4 paper; nothing is fetched from anywhere."""

STYLE = """
:root { --ink: #14293d; --soft: #5a6b7b; --line: #d6dfe7; --wash: #f3f7fa; --water: #0f6a83;
  --deep: #0b3c53; --good: #1a7f4b; --bad: #a8321f; --warn: #9a6700; --paper: #fff; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 2.5rem 1.5rem 4rem; color: var(--ink);
  background: var(--paper); font: .94rem/1.65 "Noto Sans SC", "Noto Sans CJK SC", "Source Han Sans SC",
  "PingFang SC", "Microsoft YaHei", system-ui, sans-serif; }
header { border-top: .35rem solid var(--deep); padding-top: 1.25rem; }
.brand { display: flex; justify-content: space-between; color: var(--water); font-size: .9rem;
  letter-spacing: .08em; }
h1 { font-size: 1.9rem; line-height: 1.35; margin: .75rem 0 .25rem; font-weight: 650; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .6rem; padding-bottom: .3rem;
  border-bottom: 1px solid var(--line); }
h2 .en, h1 .en { font-weight: 400; }
.en, small { color: var(--soft); } h1 .en { display: block; font-size: 1.05rem; }
p { margin: .4rem 0; }
.answer { border-left: .4rem solid var(--water); background: var(--wash); padding: 1rem 1.25rem;
  margin: 1.5rem 0; font-size: 1.15rem; } .answer .en { font-size: .95rem; }
.answer.none { border-left-color: var(--soft); }
dl.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: .75rem;
  margin: 0; }
dl.cards div { border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; }
dl.cards dt { color: var(--soft); font-size: .8rem; } dl.cards dt .en { display: block; }
dl.cards dd { margin: .1rem 0 0; font-size: 1.45rem; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--deep); background: var(--wash); }
th .en { display: block; font-weight: 400; font-size: .8rem; }
th, td { padding: .45rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
td .en { display: block; font-size: .82rem; }
code, pre { font: .82rem/1.5 "JetBrains Mono", "Noto Sans Mono CJK SC", ui-monospace, monospace; }
code { overflow-wrap: anywhere; } .id { color: var(--soft); font-size: .8rem; display: block; }
code.sha { display: block; min-width: 16rem; } .id code { white-space: nowrap; } time { white-space: nowrap; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem 1rem;
  white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0; }
.tag { display: inline-block; border-radius: 1rem; padding: 0 .6rem; font-size: .82rem; white-space: nowrap;
  border: 1px solid currentColor; } .good { color: var(--good); } .bad { color: var(--bad); }
.warn { color: var(--warn); }
ul { margin: .3rem 0; padding-left: 1.2rem; } li { margin: .25rem 0; }
footer { margin-top: 2.5rem; padding-top: .75rem; border-top: 1px solid var(--line); font-size: .85rem; }
@media print {
  @page { size: A4; margin: 16mm 14mm; }
  html { font-size: 10.5px; } body { max-width: none; padding: 0; }
  h2 { break-after: avoid; } tr, .answer, dl.cards div, pre { break-inside: avoid; }
  thead { display: table-header-group; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
""".strip()
