"""A real OpenAI-compatible server over a local model: chat completions and structured output, on a CPU, one by one.

    python tests/servers/model.py --model FOLDER --port 0 --name tiny --api-key KEY

The first line on standard output is its URL. It honours what it accepts, and refuses the rest with 400: unknown
fields, more than one choice, streaming. As its model is of random weights, which hardly ever close a string, it adds
bounds to a schema that lacks them (``schemas.bounded``); what it says satisfies the schema all the same. ``strict``
schemas are checked as OpenAI checks them; vLLM's ``structured_outputs`` holds any schema.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import uvicorn
from completions import completion, failure, models, usage
from generation import Generator, Sampling, SchemaError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from schemas import ANY_OBJECT, bounded, strict_problem
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from transformers.utils import logging


class Strict(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(Strict):
    """One message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str
    name: str | None = None


class JsonSchema(Strict):
    """A named schema."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None
    description: str | None = None


class ResponseFormat(Strict):
    """What the answer is to be."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StructuredOutputs(Strict):
    """vLLM's own field."""

    json_: dict[str, Any] = Field(alias="json")


class ChatRequest(Strict):
    """The fields that are honoured, and of others the values that ask for nothing."""

    model: str
    messages: list[Message] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=1.0, ge=0.0, le=2.0)
    seed: int | None = None
    stop: Annotated[list[str], BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else stop or [])] = []
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None
    chat_template_kwargs: dict[str, Any] = {}
    user: str | None = None
    n: Literal[1] | None = None
    stream: Literal[False] | None = None
    top_p: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    frequency_penalty: Literal[0] | None = None
    presence_penalty: Literal[0] | None = None


class RefusedError(Exception):
    """A request that is refused; holds the reply."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = failure(message, code=code, param=param)


class ModelServer:
    """The endpoints over one model."""

    def __init__(self, generator: Generator, name: str, key: str | None) -> None:
        self._generator = generator
        self._name = name
        self._key = key
        self._answers = 0
        # One at a time: torch has one thread here.
        self._turn = asyncio.Lock()

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/health", self._health),
            ],
            exception_handlers={RefusedError: refuse},
        )

    async def _health(self, request: Request) -> JSONResponse:
        return JSONResponse({})

    async def _models(self, request: Request) -> JSONResponse:
        self._check_key(request)
        return JSONResponse(models([self._name]))

    async def _chat(self, request: Request) -> JSONResponse:
        self._check_key(request)
        asked = self._read(await request.body())
        schema = wanted_schema(asked)
        async with self._turn:
            answer = await run_in_threadpool(self._complete, asked, schema)
        return JSONResponse(answer)

    def _check_key(self, request: Request) -> None:
        sent = request.headers.get("authorization", "")
        if self._key is not None and sent != f"Bearer {self._key}":
            raise RefusedError(401, "Incorrect API key provided.", "invalid_api_key")

    def _read(self, body: bytes) -> ChatRequest:
        try:
            asked = ChatRequest.model_validate_json(body)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise RefusedError(400, f"{place}: {first['msg']}", "invalid_value", place) from error
        if asked.model != self._name:
            raise RefusedError(404, f"The model `{asked.model}` does not exist.", "model_not_found", "model")
        return asked

    def _complete(self, asked: ChatRequest, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        messages = [message.model_dump(include={"role", "content"}) for message in asked.messages]
        prompt = self._generator.encode(messages, **asked.chat_template_kwargs)
        sampling = Sampling(
            max_tokens=self._room(len(prompt), asked.max_completion_tokens or asked.max_tokens),
            temperature=asked.temperature,
            seed=asked.seed,
            stop=asked.stop,
            schema=schema,
        )
        try:
            said = self._generator.generate(prompt, sampling)
        except SchemaError as error:
            raise RefusedError(400, f"Invalid schema: {error}", "invalid_value", "response_format") from error
        self._answers += 1
        return completion(self._answers, self._name, said.text, usage(len(prompt), said.tokens), finish=said.finish)

    def _room(self, prompt: int, asked: int | None) -> int:
        """How many tokens may be generated."""
        context = self._generator.context
        wanted = asked or max(context - prompt, 1)
        if prompt + wanted > context:
            message = (
                f"This model's maximum context length is {context} tokens. However, you requested {wanted} output "
                f"tokens and your prompt contains {prompt} input tokens, for a total of {prompt + wanted} tokens. "
                "Please reduce the length of the messages."
            )
            raise RefusedError(400, message, "context_length_exceeded", "messages")
        return wanted


def wanted_schema(asked: ChatRequest) -> Mapping[str, Any] | None:
    """The schema that the answer must satisfy, with bounds, or None; raises RefusedError."""
    if asked.structured_outputs is not None:
        return bounded(asked.structured_outputs.json_)
    form = asked.response_format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return ANY_OBJECT
    if form.json_schema is None:
        raise RefusedError(400, "Missing required parameter: 'response_format.json_schema'.", param="response_format")
    schema = form.json_schema.schema_
    if form.json_schema.strict and (problem := strict_problem(schema)) is not None:
        message = f"Invalid schema for response_format '{form.json_schema.name}': {problem}"
        raise RefusedError(400, message, param="response_format")
    return bounded(schema)


def refuse(request: Request, error: Exception) -> JSONResponse:
    """The reply to a refused request."""
    assert isinstance(error, RefusedError)
    return JSONResponse(error.body, error.status)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="An OpenAI-compatible server over a local model, on a CPU.")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model (see tiny_model.py)")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--name", default="tiny", help="the name under which the model is served")
    parser.add_argument("--api-key", help="the one key that is not wrong")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    server = ModelServer(Generator(options.model), options.name, options.api_key)
    listening = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(server.application(), log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
