#!/usr/bin/env python3
"""A model that plays a script, on loopback, for tests of coding agents.

    model_server.py SCRIPT.json -- COMMAND ARGS...

Runs COMMAND with ANTHROPIC_BASE_URL set to a server of its own, and ends with its status. The script is a list of
steps, each a list of tool calls, which one answer asks for together:

    {"steps": [[{"id": "toolu_1", "name": "Bash", "input": {"command": "make"}}]], "last": "Done."}

The server keeps no state. The next step is the first one of which the request holds no call, so an agent that asks
again is told the same; after the last step it hears only the text.
"""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 24
"""Characters of a call's input per event: agents have to put them together."""

LARGEST_REQUEST = 64 << 20


def ids_in(request):
    """Ids of the calls that the conversation holds already."""
    found = set()
    for message in request.get("messages", []):
        content = message.get("content")
        for block in content if isinstance(content, list) else []:
            if block.get("type") == "tool_use":
                found.add(block.get("id"))
    return found


def next_step(script, request):
    """Calls to ask at this time. A request that offers no tools is small talk: a title, a summary."""
    if not request.get("tools"):
        return []
    known = ids_in(request)
    for step in script["steps"]:
        if not any(call["id"] in known for call in step):
            return step
    return []


def blocks(script, step):
    """Content of an answer, each block with the events that make it up."""
    if not step:
        text = script.get("last", "Done.")
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": text}], {"type": "text", "text": text}
    for call in step:
        whole = {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["input"]}
        text = json.dumps(call["input"])
        pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        yield {**whole, "input": {}}, deltas, whole


def message(request, step, content):
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": request.get("model", "scripted"),
        "content": content,
        "stop_reason": "tool_use" if step else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def events(script, request):
    """The answer as it is streamed."""
    step = next_step(script, request)
    opened = {**message(request, step, []), "stop_reason": None}
    yield {"type": "message_start", "message": opened}
    for index, (start, deltas, _) in enumerate(blocks(script, step)):
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": "tool_use" if step else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


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
        if path != "/v1/messages":
            return self.answer(404, b"{}")
        if request.get("stream"):
            return self.stream(request)
        step = next_step(self.server.script, request)
        content = [whole for _, _, whole in blocks(self.server.script, step)]
        self.answer(200, json.dumps(message(request, step, content)).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, request):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events(self.server.script, request):
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
    sys.exit(subprocess.call(arguments[2:], env={**os.environ, "ANTHROPIC_BASE_URL": base}))


if __name__ == "__main__":
    main()
