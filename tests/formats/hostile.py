"""Transcripts of somebody who means harm, put into every place where a server may have text."""

from __future__ import annotations

import json
from typing import Any

from exporter.sandbox import State

TRAP = "http://trap.example/trap"
"Whatever asks for this has been led outside."

ESC = "\x1b]8;;http://evil.example\x07click\x1b[2J"
SCRIPTS = [
    "<script>document.title='owned'</script>",
    "</script></style></title></textarea></pre></details><script>document.title='owned'</script>",
    f"<img src='{TRAP}' onerror=\"document.title='owned'\">",
    f"<svg onload=\"document.title='owned'\"><image href='{TRAP}'/></svg>",
    f"<iframe src='{TRAP}' srcdoc=\"<script>parent.document.title='owned'</script>\"></iframe>",
    f"<link rel=stylesheet href='{TRAP}'><meta http-equiv=refresh content='0;url={TRAP}'><base href='{TRAP}/'>",
    f"<style>@import '{TRAP}';body{{background:url({TRAP})}}</style><p style='background:url({TRAP})'>x</p>",
    f"<form action='{TRAP}'><input autofocus onfocus=\"document.title='owned'\"></form>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<a href=\"javascript:document.title='owned'\">x</a><!-- --><?php ?><![CDATA[ ]]>",
]
LINKS = [
    "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](\tjavascript:alert(1)) [w](java&#115;cript:alert(1))",
    "[a]: javascript:alert(1)\n[a]\n\n[b]:\njavascript:alert(1)\n\n[b][b] <javascript:alert(1)> <vbscript:x>",
    "[d](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==) ![d](data:image/svg+xml,<svg onload=alert(1)>)",
    f"![pixel]({TRAP}?leak=1) ![pixel][p]\n\n[p]: {TRAP}\n",
    f'[fine](https://good.example/) <{TRAP}> {TRAP} [l]({TRAP} "t" onclick=alert(1))',
]
SHAPES = [
    "# assistant · 2025-01-01 00:00:00\n\nI never said this\n\nassistant\n===\n\nuser\n---\n",
    "```\ncode\n```\n# out\n````\n```\n<b>in</b>\n",
    "~~~ html onload=x\n<script>1</script>\n~~~\n<script>2</script>\n`````\nopen until the end <script>3</script>",
    "- a\n  ```js\n  <script>4</script>\n  ```\n\n      <script>indented</script>\n\n> > <script>5</script>",
    "1. <script>6</script>\n   <b>7</b>\n\t<i>8</i>",
    "</blockquote></article></main><h1>Fake</h1>\n\n---\n\n***\n| a | b |\n|---|---|\n| <script>7</script> | ![x](y) |",
    "{{ 7*7 }} {% for x in y %} ${7*7} #{7*7} <%= 7*7 %> $(id) `id`",
]
FORMULAS = [
    "=cmd|' /C calc'!A0", "+1", "-2+3", "@S(1)", "\t=1", "\r=1", "\n=1", "'=1", "''=1", "'q'", "\uff1d1", "\uff20x",
    '=HYPERLINK("http://evil.example","x")', '"=1"', 'a","=1', "a;=1", "-", "'",
]  # fmt: skip
CONTROLS = [
    ESC,
    "\x9b31mC1\x85\x7f\x00NUL\x08\x08\x0b\x0c",
    "\u202egnp.exe\u202c \u2066isolate\u2069 \u2028line\u2029 \ufeff \U000e0041\U000e0042",
    "half \ud800 of \udfff a pair",
    "שלום مرحبا 東京 👩‍👩‍👧 é",
]
LONG = ["x" * 1_000_000, "[" * 49_000, "*a_" * 16_000, "`" * 40_000, "> " * 20_000 + "x", "![](" * 12_000]
TEXTS = [*SCRIPTS, *LINKS, *SHAPES, *FORMULAS, *CONTROLS]
MORE = [
    "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>",
    "```js onmouseover=window.pwned=1\nx\n```\n```</code><script>window.pwned=1</script>\ny\n```\n```html\n<b>\n```",
    "```{{7*7}}\n{{7*7}}\n```\n\n    <script>window.pwned=1</script>",
    "https://xn--80ak6aa92e.example/ https://p\u0430ypal.example/ www.evil.example ftp://evil.example m@evil.example",
    "[![x](javascript:window.pwned=1)](data:text/html,<script>window.pwned=1</script>)",
    "[file](file:///etc/passwd) [no scheme](//evil.example/x) [relative](../../x) [port](http://127.0.0.1:1/)",
    "<object data='data:text/html,x'></object><embed src=x><applet></applet><video src=x onerror=window.pwned=1>",
    "<template><script>window.pwned=1</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=window.pwned=1>'>",
    "<a id=list href=x></a><form id=filter name=search></form><img name=getElementById><dialog id=help open>",
    "<div style='position:fixed;inset:0;z-index:9999'>over all</div><style>body{display:none}</style>",
    "<div " + "a" * 500 + "><b>" * 200,
    "> " * 400 + "deep",
    "* " * 300 + "deep",
    "[" * 300 + "deep" + "](x)" * 300,
    "\u0000\u0007\u001b[31m\u202e\u2066\u200b\u061c",
]
"Harm to a page that has a script of its own, a list and forms."


def said(text: str, role: str = "user") -> dict[str, Any]:
    kind = "input_text" if role == "user" else "output_text"
    part: dict[str, Any] = {"type": kind, "text": text}
    if role == "assistant":
        part["annotations"] = [{"type": "url_citation", "title": text, "url": text, "start_index": 0, "end_index": 1}]
    return {"type": "message", "role": role, "content": [part]}


def put(state: State) -> dict[str, str]:
    """Add hostile threads of several sources; returns their ids by source."""
    conversation = state.add_conversation({"metadata": {"topic": SCRIPTS[0]}})
    for text in [*TEXTS, *LONG]:
        state.add_item(conversation, said(text))
    for number, text in enumerate(TEXTS):
        state.add_item(conversation, said(text, "assistant"))
        call = {"call_id": f"call_{number}{text}", "name": text, "arguments": json.dumps({"q": text})}
        state.add_item(conversation, {"type": "function_call", **call})
        state.add_item(conversation, {"type": "function_call_output", "call_id": call["call_id"], "output": text})
    state.add_item(conversation, {"type": SCRIPTS[1], "role": None, "what": TEXTS})
    state.add_item(conversation, {"type": "message", "role": SCRIPTS[0], "status": ESC, "content": SCRIPTS[2]})
    chat = state.add_chatkit_thread({"title": f"{ESC}{SCRIPTS[1]}", "user": FORMULAS[0]})
    svg = state.add_attachment(
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", name=f"../../{SCRIPTS[0]}.svg"
    )
    png = state.add_attachment(PNG, name="pixel.png")
    words = [{"type": "input_text", "text": SCRIPTS[0]}]
    state.add_chatkit_item(chat, {"type": "user_message", "content": words, "attachments": [svg, png]})
    thread = state.add_thread({"metadata": {"<b>": SCRIPTS[0]}})
    run = state.add_run(thread, {})
    own = {"name": SCRIPTS[1], "arguments": SCRIPTS[2], "output": SHAPES[1]}
    details = {"type": "tool_calls", "tool_calls": [{"id": "call_1", "type": "function", "function": own}]}
    state.add_step(thread, run or "", {"type": "tool_calls", "step_details": details})
    state.add_message(
        thread, {"role": "user", "content": [{"type": "text", "text": {"value": SHAPES[0], "annotations": []}}]}
    )
    return {"conversations": conversation, "chatkit": chat, "assistants": thread}


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf500f000382018045a7fa520000000049454e44ae426082"
)
