#!/usr/bin/env python3
"""A model that plays a script, on loopback, for tests of coding agents.

    model_server.py SCRIPT.json -- COMMAND ARGS...

Runs COMMAND with ANTHROPIC_BASE_URL and OPENAI_BASE_URL set to a server of its own, and ends with its status. It
speaks Anthropic's Messages and OpenAI's Responses. The script is a list of steps, each a list of tool calls, which one
answer asks for together:

    {"steps": [[{"id": "toolu_1", "name": "Bash", "input": {"command": "make"}}]], "last": "Done.",
     "conversations": [{"told": "look around", "steps": [...], "last": "Seen."}], "seconds_per_step": 0.5}

A conversation of its own, as a subagent has, is known by a text in its first message.

The server keeps no state. The next step is the first one of which the request holds no call, so an agent that asks
again is told the same, and agents that ask at once stay apart; after the last step they hear only the text.
"""

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 24
"""Characters of a call's input per event: agents have to put them together."""

LARGEST_REQUEST = 64 << 20


class Messages:
    """Anthropic's Messages."""

    path = "/v1/messages"

    @staticmethod
    def said(request):
        """What the conversation holds, each with its role."""
        for said in request.get("messages", []):
            content = said.get("content")
            yield said.get("role"), content if isinstance(content, list) else [{"type": "text", "text": content}]

    @classmethod
    def ids_in(cls, request):
        """Ids of the calls that the conversation holds already."""
        return {block.get("id") for _, blocks in cls.said(request) for block in blocks if block["type"] == "tool_use"}

    @classmethod
    def opening(cls, request):
        """What the conversation begins with."""
        first = next((blocks for role, blocks in cls.said(request) if role == "user"), [])
        return "\n".join(block.get("text") or "" for block in first)

    @staticmethod
    def blocks(calls, last):
        """Content of an answer, each block with the events that make it up."""
        if not calls:
            yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": last}], {"type": "text", "text": last}
        for call in calls:
            whole = {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["input"]}
            text = json.dumps(call["input"])
            pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            yield {**whole, "input": {}}, deltas, whole

    @classmethod
    def whole(cls, request, calls, last):
        """The answer in one piece."""
        return {
            "id": "msg_scripted",
            "type": "message",
            "role": "assistant",
            "model": request.get("model", "scripted"),
            "content": [whole for _, _, whole in cls.blocks(calls, last)],
            "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }

    @classmethod
    def events(cls, request, calls, last):
        """The answer as it is streamed."""
        whole = cls.whole(request, calls, last)
        yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
        for index, (start, deltas, _) in enumerate(cls.blocks(calls, last)):
            yield {"type": "content_block_start", "index": index, "content_block": start}
            for delta in deltas:
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}}
        yield {"type": "message_stop"}


class Responses:
    """OpenAI's Responses. A call whose input is text is one of a custom tool, such as a patch."""

    path = "/v1/responses"

    @staticmethod
    def ids_in(request):
        """Ids of the calls that the conversation holds already."""
        return {item["call_id"] for item in request.get("input", []) if item.get("call_id")}

    @staticmethod
    def opening(request):
        """What the user said."""
        said = [item for item in request.get("input", []) if item.get("role") == "user"]
        return "\n".join(part.get("text") or "" for item in said for part in item.get("content", []))

    @staticmethod
    def items(calls, last):
        """What the answer holds."""
        if not calls:
            text = {"type": "output_text", "text": last, "annotations": []}
            yield {"type": "message", "id": "msg_scripted", "role": "assistant", "status": "completed", "content": [text]}
        for call in calls:
            item = {"id": "item_" + call["id"], "call_id": call["id"], "name": call["name"], "status": "completed"}
            if isinstance(call["input"], str):
                yield {"type": "custom_tool_call", **item, "input": call["input"]}
            else:
                yield {"type": "function_call", **item, "arguments": json.dumps(call["input"])}

    @classmethod
    def whole(cls, request, calls, last):
        """The answer in one piece."""
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        return {
            "id": "resp_scripted",
            "object": "response",
            "status": "completed",
            "model": request.get("model", "scripted"),
            "output": list(cls.items(calls, last)),
            "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, **details},
        }

    @classmethod
    def events(cls, request, calls, last):
        """The answer as it is streamed."""
        whole = cls.whole(request, calls, last)
        yield {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}
        for index, item in enumerate(whole["output"]):
            yield {"type": "response.output_item.added", "output_index": index, "item": item}
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        yield {"type": "response.completed", "response": whole}


def next_step(script, protocol, request):
    """Calls to ask at this time, and what is said where there are none. A request that offers no tools is small talk:
    a title, a summary."""
    opening = protocol.opening(request)
    own = (talk for talk in script.get("conversations", []) if talk["told"] in opening)
    talk = next(own, script)
    last = talk.get("last", "Done.")
    if not request.get("tools"):
        return [], last
    known = protocol.ids_in(request)
    for step in talk["steps"]:
        if not any(call["id"] in known for call in step):
            return step, last
    return [], last


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Standard error is the command's."""

    def do_HEAD(self):
        self.answer(200, b"")

    def do_GET(self):
        self.answer(404, b"{}")

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if length > LARGEST_REQUEST:
            self.close_connection = True
            return self.answer(413, b"{}")
        body = self.rfile.read(length)
        path = self.path.partition("?")[0]
        try:
            request = json.loads(body)
        except ValueError:
            return self.answer(400, b"{}")
        if path == "/v1/messages/count_tokens":
            return self.answer(200, b'{"input_tokens": 1}')
        protocol = next((known for known in (Messages, Responses) if known.path == path), None)
        if protocol is None:
            return self.answer(404, b"{}")
        step, last = next_step(self.server.script, protocol, request)
        time.sleep(self.server.script.get("seconds_per_step", 0))
        if request.get("stream"):
            return self.stream(protocol.events(request, step, last))
        self.answer(200, json.dumps(protocol.whole(request, step, last)).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, events):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")


def main():
    arguments = sys.argv[1:]
    if len(arguments) < 3 or arguments[1] != "--":
        sys.exit("usage: model_server.py SCRIPT.json -- COMMAND ARGS...")
    with open(arguments[0], encoding="utf-8") as file:
        script = json.load(file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.script = script
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    urls = {"ANTHROPIC_BASE_URL": base, "OPENAI_BASE_URL": f"{base}/v1"}
    sys.exit(subprocess.call(arguments[2:], env={**os.environ, **urls}))


if __name__ == "__main__":
    main()
