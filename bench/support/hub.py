"""A local stand-in for the Hugging Face Hub. It has the API that the client uses to push, pull and set up a Space.

It keeps everything in memory. `fault` makes it misbehave: see `Loopback.broken`.
"""

import asyncio
import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

TOKENS = {"hf_writer": "write", "hf_reader": "read"}  # token -> role; all belong to the user "ann"


@dataclass
class Repo:
    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)  # sha -> path -> content
    refs: dict[str, str] = field(default_factory=dict)  # branch or tag -> sha
    settings: dict = field(default_factory=dict)  # for a Space: hardware, variables

    def commit(self, files: dict[str, bytes | None], branch: str = "main") -> str:
        """files: path -> content, or None to delete the file."""
        before = self.commits.get(self.refs.get(branch, ""), {})
        whole = {path: data for path, data in (before | files).items() if data is not None}
        sha = hashlib.sha1(f"{sorted((k, sha256(v)) for k, v in whole.items())}{time.time_ns()}".encode()).hexdigest()
        self.commits[sha], self.refs[branch] = whole, sha
        return sha

    def find(self, revision: str) -> str:
        """A branch, a tag or a commit -> the commit. Raises Refused if there is none."""
        if (sha := self.refs.get(revision, revision)) not in self.commits:
            raise Refused(404, "RevisionNotFound")
        return sha


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def large(path: str) -> bool:
    return path.endswith((".safetensors", ".webp", ".png"))


def described(path: str, data: bytes) -> dict:
    entry = {"size": len(data), "blobId": git_hash(data)}
    return entry | ({"lfs": {"sha256": sha256(data), "size": len(data), "pointerSize": 130}} if large(path) else {})


class Refused(Exception):
    def __init__(self, status: int, code: str = "", text: str = "no"):
        self.status, self.code, self.text = status, code, text


async def refuse(request: Request, error: Refused):
    headers = {"X-Error-Code": error.code} if error.code else {}
    return JSONResponse({"error": error.text}, error.status, headers | {"X-Error-Message": error.text})


class Loopback:
    """The server, in its own thread. Set HF_ENDPOINT to `url`."""

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"
        self.repos: dict[tuple[str, str], Repo] = {}  # (models | spaces, user/name)
        self.large: dict[str, bytes] = {}  # sha256 -> content uploaded by LFS
        self.requests: list[str] = []  # "METHOD /path", in order
        self.fault = ""
        self.server = uvicorn.Server(uvicorn.Config(self.app(), port=port, log_level="critical"))
        threading.Thread(target=self.server.run, daemon=True).start()
        while not self.server.started:
            time.sleep(0.01)

    def repo(self, request: Request, kind: str, name: str, write: bool = False) -> Repo:
        role, repo = self.role(request), self.repos.get((kind, name))
        if repo is None or (repo.private and not role):
            raise Refused(404 if role else 401, "RepoNotFound")
        if write and role != "write":
            raise Refused(403 if role else 401, text="You don't have the rights")
        if write and repo.gated:
            raise Refused(403, "GatedRepo")
        return repo

    def role(self, request: Request) -> str | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in TOKENS:
            raise Refused(401, text="Invalid credentials in Authorization header")
        return TOKENS.get(token)

    async def broken(self, request: Request) -> Response | None:
        """The answer that the current fault gives to this request. None lets the request pass.

        "401", "403", "503": every request gets this status. "never": no answer. "upload": uploads of large files fail.
        "truncated", "flipped" and "stalled" act elsewhere, on downloads of large files.
        """
        if self.fault.isdigit():
            return JSONResponse({"error": "fault"}, int(self.fault))
        if self.fault == "never" or (self.fault == "upload" and request.method == "PUT"):
            await asyncio.sleep(3600 if self.fault == "never" else 0)
            return JSONResponse({"error": "fault"}, 400)
        return None

    def app(self) -> FastAPI:
        app = FastAPI()
        app.middleware("http")(self.watch)
        app.exception_handler(Refused)(refuse)
        repo, space = "/api/{kind}/{user}/{name}", "/api/spaces/{user}/{name}"
        for methods, path, answer in (
            ("GET", "/api/whoami-v2", self.whoami),
            ("POST", "/api/validate-yaml", self.validate),
            ("POST", "/api/repos/create", self.create),
            ("GET", repo, self.info),
            ("GET", f"{repo}/revision/{{revision:path}}", self.info),
            ("GET", f"{repo}/tree/{{revision}}", self.tree),
            ("POST", f"{repo}/preupload/{{revision:path}}", self.ask_how_to_upload),
            ("POST", f"{repo}/commit/{{revision:path}}", self.commit),
            ("POST", f"{repo}/branch/{{branch:path}}", self.branch),
            ("POST", f"{repo}/tag/{{revision:path}}", self.tag),
            ("POST", f"{space}/variables", self.set_variable),
            ("POST", f"{space}/hardware", self.set_hardware),
            ("GET DELETE", f"{space}/variables", self.variables),
            ("POST", "/{path:path}.git/info/lfs/objects/batch", self.batch),
            ("PUT", "/lfs/{oid}", self.receive),
            ("GET HEAD", "/{user}/{name}/resolve/{revision}/{path:path}", self.resolve),
        ):
            app.add_api_route(path, answer, methods=methods.split())
        return app

    async def watch(self, request: Request, call_next):
        self.requests.append(f"{request.method} {request.url.path}")
        return await self.broken(request) or await call_next(request)

    def whoami(self, request: Request):
        if not (role := self.role(request)):
            raise Refused(401)
        return {"type": "user", "name": "ann", "auth": {"accessToken": {"role": role}}}

    def validate(self):
        return {"errors": [], "warnings": []}

    async def create(self, request: Request):
        asked = await request.json()
        if self.role(request) != "write":
            raise Refused(403, text="You don't have the rights")
        kind, name = f"{asked.get('type') or 'model'}s", f"{asked.get('organization') or 'ann'}/{asked['name']}"
        answer = {"url": f"{self.url}/{'' if kind == 'models' else kind + '/'}{name}", "name": name}
        if (kind, name) in self.repos:
            return JSONResponse(answer | {"error": "it exists"}, 409)
        repo = self.repos[kind, name] = Repo(private=asked.get("visibility") == "private")
        repo.settings = {k: v for k, v in asked.items() if k in ("sdk", "hardware", "variables")}
        repo.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        return answer

    def info(self, request: Request, kind: str, user: str, name: str, revision: str = "main"):
        repo = self.repo(request, kind, f"{user}/{name}")
        sha = repo.find(revision)
        files = [{"rfilename": path} | described(path, data) for path, data in repo.commits[sha].items()]
        about = {"id": f"{user}/{name}", "sha": sha, "private": repo.private, "gated": repo.gated and "manual"}
        return about | {"siblings": files, "tags": [], "downloads": 0, "likes": 0}

    def tree(self, request: Request, kind: str, user: str, name: str, revision: str):
        repo = self.repo(request, kind, f"{user}/{name}")
        files = repo.commits[repo.find(revision)].items()
        entries = [{"type": "file", "path": p, "oid": git_hash(data), **described(p, data)} for p, data in files]
        return [e | ({"lfs": e["lfs"] | {"oid": e["lfs"]["sha256"]}} if "lfs" in e else {}) for e in entries]

    async def ask_how_to_upload(self, request: Request, kind: str, user: str, name: str, revision: str):
        repo = self.repo(request, kind, f"{user}/{name}", write=True)
        now = repo.commits[repo.find(revision)]
        return {"files": [self.preupload(file, now) for file in (await request.json())["files"]]}

    async def commit(self, request: Request, kind: str, user: str, name: str, revision: str):
        repo = self.repo(request, kind, f"{user}/{name}", write=True)
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        sha = repo.commit(dict(filter(None, map(self.content, lines))), revision)
        return {"commitUrl": f"{self.url}/{user}/{name}/commit/{sha}", "commitOid": sha, "hookOutput": ""}

    async def branch(self, request: Request, kind: str, user: str, name: str, branch: str):
        repo = self.repo(request, kind, f"{user}/{name}", write=True)
        if branch in repo.refs:
            raise Refused(409, text="it exists")
        asked = await request.json() if await request.body() else {}
        repo.refs[branch] = repo.find(asked.get("startingPoint") or "main")
        return {}

    async def tag(self, request: Request, kind: str, user: str, name: str, revision: str):
        """revision: what the tag points at. The tag's name is in the body."""
        repo = self.repo(request, kind, f"{user}/{name}", write=True)
        repo.refs[(await request.json())["tag"]] = repo.find(revision)
        return {}

    async def set_variable(self, request: Request, user: str, name: str):
        repo, asked = self.repo(request, "spaces", f"{user}/{name}", write=True), await request.json()
        repo.settings.setdefault("variables", {})[asked["key"]] = {"value": asked["value"]}
        return repo.settings["variables"]

    async def set_hardware(self, request: Request, user: str, name: str):
        repo, asked = self.repo(request, "spaces", f"{user}/{name}", write=True), await request.json()
        repo.settings["hardware"] = asked.get("flavor")
        return {"stage": "BUILDING", "hardware": {"requested": asked.get("flavor")}}

    async def variables(self, request: Request, user: str, name: str):
        kept = self.repo(request, "spaces", f"{user}/{name}", write=True).settings.setdefault("variables", {})
        if request.method == "DELETE":
            del kept[(await request.json())["key"]]
        return kept

    async def batch(self, request: Request, path: str):
        """Tells the client where to send each large file, except those that are here already."""
        answers = []
        for one in (await request.json())["objects"]:
            upload = {"upload": {"href": f"{self.url}/lfs/{one['oid']}", "header": {}}}
            answers.append(one if one["oid"] in self.large else one | {"actions": upload})
        return {"transfer": "basic", "objects": answers}

    async def receive(self, request: Request, oid: str):
        data = await request.body()
        if sha256(data) != oid:
            raise Refused(422)
        self.large[oid] = data
        return Response()

    def resolve(self, request: Request, user: str, name: str, revision: str, path: str):
        repo = self.repo(request, "models", f"{user}/{name}")
        if repo.gated:
            raise Refused(403, "GatedRepo")
        sha = repo.find(revision)
        data = repo.commits[sha].get(path)
        if data is None:
            raise Refused(404, "EntryNotFound")
        etag = sha256(data) if large(path) else git_hash(data)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": sha, "Content-Length": str(len(data))}
        if request.method == "HEAD":
            return Response(headers=headers)
        return StreamingResponse(self.send(data, large(path)), headers=headers)

    def preupload(self, file: dict, now: dict[str, bytes]) -> dict:
        path = file["path"]
        answer = {"path": path, "uploadMode": "lfs" if large(path) else "regular", "shouldIgnore": False}
        if path in now:
            answer["oid"] = sha256(now[path]) if large(path) else git_hash(now[path])
        return answer

    def content(self, line: dict) -> tuple[str, bytes | None] | None:
        value = line["value"]
        if line["key"] == "deletedFile":
            return value["path"], None
        if line["key"] == "file":
            return value["path"], base64.b64decode(value["content"])
        return (value["path"], self.large[value["oid"]]) if line["key"] == "lfsFile" else None

    async def send(self, data: bytes, is_large: bool):
        fault = self.fault if is_large else ""
        if fault == "flipped":
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        if fault in ("truncated", "stalled"):
            yield data[: len(data) // 2]
            await asyncio.sleep(3600 if fault == "stalled" else 0)
            return
        for i in range(0, len(data), 1 << 20):
            yield data[i : i + (1 << 20)]
