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
    state.add_chatkit_thread("cthr_123")
    state.add_chatkit_item("cthr_123", {"content": objects.input_content("Hello.")})
    message = {"role": "assistant", "content": "Hello.", "refusal": None}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}
    state.add_completion({"id": "completion_id", "choices": [choice]}, [{"role": "assistant"}])
    for name in ("response_id", "resp_677efb5139a88190b512bc3fef8e535d"):
        state.add_response({"id": name, "output": [{"role": "assistant", "content": "Hello."}]}, ["Hello?"])
    _add_session(state)
    state.add_file({"id": "file_id", "filename": "hello.txt"}, b"hello")
    state.add_container("container_id")
    state.add_container_file("container_id", {"id": "file_id"}, b"hello")
    for store in ("vector_store_id", "vs_abc123"):
        state.add_vector_store(store)
        for file in ("file_id", "file-abc123"):
            state.add_vector_file(store, file, ["hello"])
    return state


def _add_session(state: State) -> None:
    asked = {"role": "user", "content": objects.input_content("Hello?")}
    state.add_session("session_id")
    state.add_turn("session_id", {"id": "turn_id"})
    state.add_session_item("session_id", asked)
    state.add_subagent("session_id", {"id": "subagent_id"})
    state.add_turn("session_id", {"id": "turn_id"}, "subagent_id")
    state.add_session_item("session_id", asked, "subagent_id")
    state.add_artifact("session_id", {"id": "artifact_id"}, b"hello")
    state.add_trace("session_id", {"id": "turn_id"})
