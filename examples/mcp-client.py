#!/usr/bin/env python3
"""A program that works in a pyro workspace over MCP, with nothing but Python's standard library.

    examples/mcp-client.py [--list] [--project DIR] [--command LINE] [-- SERVER COMMAND...]

Without --list it creates a workspace from DIR, runs LINE in it, prints output and diff, and deletes the workspace.
The server command is `pyro mcp serve` unless one is given after --.
"""
import argparse
import json
import subprocess
import sys
import time


class Server:
    """One MCP server as a child process: a line of JSON for each message, in both directions."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.last_id = 0
        client = {"name": "pyro-example", "version": "1"}
        self.request("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
        self.send({"method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def request(self, method, params):
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": params})
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") != self.last_id or "method" in message:
                continue  # progress and other notifications
            if "error" in message:
                raise RuntimeError(message["error"]["message"])
            return message["result"]
        raise RuntimeError("the server has ended")

    def call(self, tool, **arguments):
        """Structured result of a tool. An environment that is still on its way is waited for."""
        while True:
            result = self.request("tools/call", {"name": tool, "arguments": arguments})
            if not result.get("isError"):
                return result["structuredContent"]
            error = result["_meta"]["pyro/error"]
            if error["code"] != "environment_preparing":
                raise RuntimeError(f"{tool}: {error['message']} ({error.get('hint')})")
            print(error["message"], file=sys.stderr)
            time.sleep(2)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


def run_and_follow(server, workspace_id, command):
    """Runs a command, however long it takes, prints its output and gives its exit code. What is empty or false is not there."""
    result = server.call("workspace_exec", workspace_id=workspace_id, command=command, timeout_seconds=3600)
    print(result.get("stdout", ""), end="")
    print(result.get("stderr", ""), end="", file=sys.stderr)
    cursor = result.get("stdout_bytes", len(result.get("stdout", "").encode()))
    while result.get("running"):
        page = server.call("workspace_logs", workspace_id=workspace_id, sequence=result["sequence"],
                           stream="stdout", cursor=cursor, wait_seconds=30)
        entry = page["entries"][0]
        print(entry.get("stdout", ""), end="")
        if page.get("next_cursor") is None:
            return entry["exit_code"]
        cursor = page["next_cursor"]
    return result["exit_code"]


def main():
    arguments, server_command = sys.argv[1:], None
    if "--" in arguments:
        at = arguments.index("--")
        arguments, server_command = arguments[:at], arguments[at + 1:]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list the tools and end")
    parser.add_argument("--project", help="folder that goes into the workspace")
    parser.add_argument("--command", default="git status --short", help="shell command line to run")
    options = parser.parse_args(arguments)

    command = server_command or ["pyro", "mcp", "serve"]
    if options.project:
        command = [*command, "--project-path", options.project]
    server = Server(command)
    try:
        if options.list:
            for tool in server.request("tools/list", {})["tools"]:
                print(f"{tool['name']}: {tool['title']}")
            return 0
        workspace_id = server.call("workspace_create", name="example")["workspace_id"]
        try:
            exit_code = run_and_follow(server, workspace_id, options.command)
            print(server.call("workspace_diff", workspace_id=workspace_id).get("patch", ""), end="")
            return exit_code
        finally:
            server.call("workspace_delete", workspace_id=workspace_id)
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
