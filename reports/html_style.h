/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_REPORTS_HTML_STYLE_H
#define BRINELL_REPORTS_HTML_STYLE_H

/* All text colours have a contrast of at least 4.5:1 on their background, light and dark (WCAG 2.2, 1.4.3). */
static const char html_style[] =
	":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1c2330;--soft:#586174;--line:#dde1e8;"
	"--pass:#14703a;--fail:#b3202c;--inconclusive:#8a5300;--infra:#5b4bb0;--skip:#586174;--pending:#586174;"
	"--mark:#1f5fbf;--tint:#eef2f9}"
	"@media(prefers-color-scheme:dark){:root{--bg:#11151c;--card:#191f29;--ink:#e6eaf1;--soft:#9aa5b8;"
	"--line:#2c3544;--pass:#5fd08b;--fail:#ff8088;--inconclusive:#f0b656;--infra:#b3a6ff;--skip:#9aa5b8;"
	"--pending:#9aa5b8;--mark:#7fb0ff;--tint:#202938}}"
	"@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--pass:#0b5a2b;--fail:#a0101c;"
	"--inconclusive:#704300;--infra:#45379a;--mark:#134a9c;--tint:#fff}.card{break-inside:avoid}.filter{display:none}}"
	"*{box-sizing:border-box}"
	"body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',"
	"Roboto,'DejaVu Sans',sans-serif}"
	"main,header,footer{max-width:1080px;margin:0 auto;padding:0 20px}"
	"header{padding-top:36px}h1{font-size:1.6rem;margin:0;font-weight:650;letter-spacing:-.01em}"
	"h2{font-size:1.15rem;margin:40px 0 12px;font-weight:650}h3{font-size:.82rem;margin:22px 0 8px;"
	"font-weight:600;color:var(--soft);text-transform:uppercase;letter-spacing:.05em}"
	"p{margin:6px 0}a{color:var(--mark)}a:focus-visible,summary:focus-visible,button:focus-visible"
	"{outline:2px solid var(--mark);outline-offset:2px;border-radius:4px}"
	".soft{color:var(--soft)}code,pre,.mono{font:13px/1.5 ui-monospace,'SF Mono',Menlo,Consolas,"
	"'DejaVu Sans Mono',monospace}"
	".bench{border-left:3px solid var(--mark);background:var(--tint);padding:8px 14px;margin:16px 0;border-radius:0 6px 6px 0}"
	".counts{display:flex;flex-wrap:wrap;gap:10px;margin:18px 0;padding:0;list-style:none}"
	".counts li{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:8px 16px;min-width:96px}"
	".counts b{display:block;font-size:1.55rem;line-height:1.25;font-variant-numeric:tabular-nums}"
	".v{font-weight:600;white-space:nowrap}.pass{color:var(--pass)}.fail{color:var(--fail)}"
	".inconclusive{color:var(--inconclusive)}.infra{color:var(--infra)}.skip{color:var(--skip)}.pending{color:var(--pending)}"
	".card{background:var(--card);border:1px solid var(--line);border-radius:12px;margin:14px 0;padding:0 20px}"
	"details.card[open]{padding-bottom:20px}"
	"summary{cursor:pointer;padding:14px 0;display:flex;flex-wrap:wrap;gap:4px 14px;align-items:baseline;list-style:none}"
	"summary::-webkit-details-marker{display:none}summary:before{content:'\\25B8';color:var(--soft)}"
	"details[open]>summary:before{content:'\\25BE'}summary .name{font-weight:600;overflow-wrap:anywhere}"
	"summary .time{margin-left:auto;color:var(--soft);font-variant-numeric:tabular-nums}"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:0}dt{color:var(--soft)}"
	"dd{margin:0;overflow-wrap:anywhere}"
	".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.93rem}"
	"th{text-align:left;font-weight:600;color:var(--soft);font-size:.82rem;padding:8px 14px 8px 0;border-bottom:1px solid var(--line);white-space:nowrap}"
	"td{padding:8px 14px 8px 0;border-bottom:1px solid var(--line);vertical-align:top}"
	".trials td{white-space:nowrap}.trials td.text{white-space:normal}tr:last-child td{border-bottom:0}td.num{font-variant-numeric:tabular-nums;white-space:nowrap}"
	"td.text{overflow-wrap:anywhere;min-width:12em}"
	"pre{background:var(--tint);padding:10px 14px;border-radius:8px;overflow-x:auto;margin:6px 0;white-space:pre-wrap;overflow-wrap:anywhere}"
	".timeline{overflow-x:auto;margin:6px 0}svg{display:block;width:100%;min-width:600px;height:auto}"
	"svg text{fill:var(--soft);font:12px system-ui,'DejaVu Sans',sans-serif}svg .lane{stroke:var(--line)}"
	"svg .tick{stroke:var(--line);stroke-dasharray:2 4}svg .mark{fill:var(--card);stroke:var(--soft);stroke-width:1.5}"
	"svg .proof{fill:var(--mark);stroke:var(--card);stroke-width:1.5}svg .when{stroke:var(--fail);stroke-width:1.5}"
	"svg .outcome{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:4 3}svg .strong{fill:var(--ink)}"
	".filter{display:flex;flex-wrap:wrap;gap:8px;margin:10px 0}.filter button{font:inherit;font-size:.9rem;"
	"color:inherit;background:var(--card);border:1px solid var(--line);border-radius:999px;padding:4px 14px;cursor:pointer}"
	".filter button[aria-pressed=true]{border-color:var(--mark);color:var(--mark)}"
	"footer{color:var(--soft);padding:28px 20px 48px;font-size:.88rem}"
	"@media(max-width:640px){main,header,footer{padding-left:14px;padding-right:14px}.card{padding:0 14px}"
	"summary .time{margin-left:0}dl{grid-template-columns:1fr}dt{margin-top:6px}"
	".trials thead{position:absolute;clip-path:inset(50%);height:1px;overflow:hidden}.trials tr{display:block;"
	"border-bottom:1px solid var(--line);padding:10px 0}.trials tr:last-child{border-bottom:0}"
	".trials td{display:inline-block;white-space:normal!important;border:0;padding:0 12px 0 0}.trials td.text{display:block}}";

/* The page is whole without it: it only adds buttons that hide trials. */
static const char html_script[] =
	"(function(){var f=document.querySelector('.filter');if(!f)return;f.hidden=false;"
	"f.addEventListener('click',function(e){var b=e.target.closest('button');if(!b)return;"
	"f.querySelectorAll('button').forEach(function(o){o.setAttribute('aria-pressed',o===b)});"
	"var v=b.dataset.show;document.querySelectorAll('[data-verdict]').forEach(function(t){"
	"t.hidden=v!=='all'&&t.dataset.verdict!==v})})})();";

#endif
