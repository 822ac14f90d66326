"""The objects that the SDK's own tests ask for, under the ids that they use.

Those tests read with made-up ids ("thread_id", "conv_123"); each must lead to an answer of the right shape.
"""

from __future__ import annotations

from exporter.sandbox import objects
from exporter.sandbox.state import State

SDK_KEY = "My API Key"


def sdk_fixture() -> State:
    """Return a state that answers OpenAI's own SDK tests."""
    state = State(dialect="described")
    state.switches = state.switches.with_changes({"lenient": True})
    state.keys[SDK_KEY] = state.keys["sk-sandbox-one"]
    text = objects.text_content("Hello.")
    state.add_thread("thread_id")
    for name in ("message_id", "run_id"):
        state.add_message("thread_id", {"id": name, "content": text, "run_id": "run_id"})
    state.add_run("thread_id", {"id": "run_id"})
    state.add_step("thread_id", "run_id", {"id": "step_id"})
    state.put("assistants", {"id": "assistant_id"})
    state.add_conversation("conv_123")
    state.add_item("conv_123", {"id": "msg_abc", "role": "user", "content": "Hello."})
    state.put("chatkit", {"id": "cthr_123"})
    item = {"id": "cthi_1", "content": objects.input_content("Hello."), "thread_id": "cthr_123"}
    state.add("chatkit", "cthr_123", "items", item, kind="chatkit_item")
    message = {"role": "assistant", "content": "Hello.", "refusal": None}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}
    state.put("completions", {"id": "completion_id", "choices": [choice]})
    state.add(
        "completions", "completion_id", "messages", {"id": "message_1", "role": "assistant"}, kind="completion_message"
    )
    reply = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    output = [reply | {"content": objects.output_content("Hello.")}]
    for name in ("response_id", "resp_677efb5139a88190b512bc3fef8e535d"):
        state.put("responses", {"id": name, "output": output})
        asked = {"id": "msg_0", "role": "user", "content": objects.input_content("Hello?")}
        state.add("responses", name, "input_items", asked, kind="item")
    state.add_file({"id": "file_id", "filename": "hello.txt"}, b"hello")
    return state
