"""A Hugging Face Hub on loopback: as much of its API as its client uses to push, pull and set up a Space.

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

TOKENS = {"hf_writer": "write", "hf_reader": "read"}  # token -> role; all of user "ann"


@dataclass
class Repo:
    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)  # sha -> path -> content
    refs: dict[str, str] = field(default_factory=dict)  # branch or tag -> sha
    settings: dict = field(default_factory=dict)  # of a Space: hardware, variables

    def commit(self, files: dict[str, bytes | None], branch: str = "main") -> str:
        """files: None for one that is deleted."""
        whole = self.commits.get(self.refs.get(branch, ""), {}) | files
        whole = {path: data for path, data in whole.items() if data is not None}
        sha = hashlib.sha1(f"{sorted((k, sha256(v)) for k, v in whole.items())}{time.time_ns()}".encode()).hexdigest()
        self.commits[sha], self.refs[branch] = whole, sha
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


class Loopback:
    """The server, on a thread of its own; `url` is what HF_ENDPOINT is set to."""

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"
        self.repos: dict[tuple[str, str], Repo] = {}  # (models | spaces, user/name)
        self.large: dict[str, bytes] = {}  # what was uploaded by LFS, by sha256
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
        """What the fault in force makes of this request; None lets it pass.

        401, 403, 503: every answer. never: none. "upload": large files are cut off. The others strike large
        files on their way down: "truncated", "flipped", "stalled".
        """
        if self.fault.isdigit():
            return JSONResponse({"error": "fault"}, int(self.fault))
        if self.fault == "never" or (self.fault == "upload" and request.method == "PUT"):
            await asyncio.sleep(3600 if self.fault == "never" else 0)
            return JSONResponse({"error": "fault"}, 400)
        return None

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def watch(request: Request, call_next):
            self.requests.append(f"{request.method} {request.url.path}")
            return await self.broken(request) or await call_next(request)

        @app.exception_handler(Refused)
        async def refuse(request: Request, error: Refused):
            headers = {"X-Error-Code": error.code} if error.code else {}
            return JSONResponse({"error": error.text}, error.status, headers | {"X-Error-Message": error.text})

        @app.get("/api/whoami-v2")
        def whoami(request: Request):
            if not (role := self.role(request)):
                raise Refused(401)
            return {"type": "user", "name": "ann", "auth": {"accessToken": {"role": role}}}

        @app.post("/api/validate-yaml")
        def validate():
            return {"errors": [], "warnings": []}

        @app.post("/api/repos/create")
        async def create(request: Request):
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

        def find(repo: Repo, revision: str) -> str:
            if (sha := repo.refs.get(revision, revision)) not in repo.commits:
                raise Refused(404, "RevisionNotFound")
            return sha

        @app.get("/api/{kind}/{user}/{name}")
        @app.get("/api/{kind}/{user}/{name}/revision/{revision:path}")
        def info(request: Request, kind: str, user: str, name: str, revision: str = "main"):
            repo = self.repo(request, kind, f"{user}/{name}")
            sha = find(repo, revision)
            files = [{"rfilename": path} | described(path, data) for path, data in repo.commits[sha].items()]
            about = {"id": f"{user}/{name}", "sha": sha, "private": repo.private, "gated": repo.gated and "manual"}
            return about | {"siblings": files, "tags": [], "downloads": 0, "likes": 0}

        @app.get("/api/{kind}/{user}/{name}/tree/{revision}")
        def tree(request: Request, kind: str, user: str, name: str, revision: str):
            repo = self.repo(request, kind, f"{user}/{name}")
            files = repo.commits[find(repo, revision)].items()
            entries = [{"type": "file", "path": p, "oid": git_hash(data), **described(p, data)} for p, data in files]
            return [e | ({"lfs": e["lfs"] | {"oid": e["lfs"]["sha256"]}} if "lfs" in e else {}) for e in entries]

        @app.post("/api/{kind}/{user}/{name}/{what}/{value:path}")
        async def change(request: Request, kind: str, user: str, name: str, what: str, value: str):
            repo = self.repo(request, kind, f"{user}/{name}", write=True)
            if what == "preupload":
                now = repo.commits[find(repo, value)]
                return {"files": [self.preupload(file, now) for file in (await request.json())["files"]]}
            if what == "commit":
                lines = [json.loads(line) for line in (await request.body()).splitlines()]
                sha = repo.commit(dict(filter(None, map(self.content, lines))), value)
                return {"commitUrl": f"{self.url}/{user}/{name}/commit/{sha}", "commitOid": sha, "hookOutput": ""}
            start = (await request.json() if await request.body() else {}).get("startingPoint") or "main"
            if value in repo.refs and what == "branch":
                raise Refused(409, text="it exists")
            # a tag's own name is in the body, and the path says what it is of
            tag = (await request.json()).get("tag") if what == "tag" else None
            repo.refs[tag or value] = find(repo, value if tag else start)
            return {}

        @app.post("/api/spaces/{user}/{name}/{what}")
        async def settings(request: Request, user: str, name: str, what: str):
            repo, asked = self.repo(request, "spaces", f"{user}/{name}", write=True), await request.json()
            if what == "variables":
                repo.settings.setdefault("variables", {})[asked["key"]] = {"value": asked["value"]}
                return repo.settings["variables"]
            repo.settings["hardware"] = asked.get("flavor")
            return {"stage": "BUILDING", "hardware": {"requested": asked.get("flavor")}}

        @app.api_route("/api/spaces/{user}/{name}/variables", methods=["GET", "DELETE"])
        async def variables(request: Request, user: str, name: str):
            kept = self.repo(request, "spaces", f"{user}/{name}", write=True).settings.setdefault("variables", {})
            if request.method == "DELETE":
                del kept[(await request.json())["key"]]
            return kept

        @app.post("/{path:path}.git/info/lfs/objects/batch")
        async def batch(request: Request, path: str):
            objects = (await request.json())["objects"]
            action = {"actions": {"upload": {"href": self.url + "/lfs/", "header": {}}}}
            absent = [({} if o["oid"] in self.large else json.loads(json.dumps(action))) | o for o in objects]
            for one in absent:
                if "actions" in one:
                    one["actions"]["upload"]["href"] += one["oid"]
            return {"transfer": "basic", "objects": absent}

        @app.put("/lfs/{oid}")
        async def receive(request: Request, oid: str):
            data = await request.body()
            if sha256(data) != oid:
                raise Refused(422)
            self.large[oid] = data
            return Response()

        @app.api_route("/{user}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
        def resolve(request: Request, user: str, name: str, revision: str, path: str):
            repo = self.repo(request, "models", f"{user}/{name}")
            if repo.gated:
                raise Refused(403, "GatedRepo")
            sha = find(repo, revision)
            data = repo.commits[sha].get(path)
            if data is None:
                raise Refused(404, "EntryNotFound")
            etag = sha256(data) if large(path) else git_hash(data)
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": sha, "Content-Length": str(len(data))}
            if request.method == "HEAD":
                return Response(headers=headers)
            return StreamingResponse(self.send(data, large(path)), headers=headers)

        return app

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
