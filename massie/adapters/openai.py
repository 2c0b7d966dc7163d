"""Language models behind an OpenAI-compatible endpoint, through the official client: OpenAI's own, vLLM's, gateways."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from massie.adapters.batch_api import BatchApi
from massie.adapters.chat_completions import OPENAI, OpenAIOptions, body_of, completion_of, error_of, message_of
from massie.adapters.completions import Completion, Outcome
from massie.adapters.language_models import LanguageModel
from massie.adapters.openai_batches import Batches, BatchLimits
from massie.prompting import Request
from massie.types import EndpointError, Failure, MissingExtraError, RequestError

_OPENAI = "https://api.openai.com/v1"
_OPENAI_KEY = "OPENAI_API_KEY"
_OPENAI_ADDRESS = "OPENAI_BASE_URL"
_PATH = "/chat/completions"
_TELLING = 8
"""So many characters of a key are too many to be shown."""


class OpenAI(LanguageModel):
    """A language model behind an OpenAI-compatible endpoint; options: OpenAIOptions, and those of a method."""

    def __init__(self, **options: Any) -> None:
        super().__init__(OpenAIOptions, Endpoint, options)


class Endpoint:
    """Chat completions of one model at one endpoint."""

    tuning = frozenset({"api_key_env", "organization", "project"})
    batch_limits = BatchLimits()

    def __init__(self, options: OpenAIOptions) -> None:
        self.options = options
        self._client: Any = None
        self._secrets: set[str] = set()

    @property
    def model(self) -> str:
        """The model that is asked for."""
        return self.options.model

    def settings(self) -> dict[str, Any]:
        """The endpoint and all parameters but those of the request itself."""
        kept = self.options.model_dump(mode="json", exclude=set(self.tuning))
        kept["temperature"] = self.options.sent_temperature
        return {"endpoint": kept.pop("base_url") or OPENAI, **kept}

    def arguments(self) -> dict[str, Any]:
        """What a client of the official library is made with; raises EndpointError where a key is missing."""
        options = self.options
        headers = {
            name: self._secret(value[1:], f"headers.{name}") if value.startswith("$") else value
            for name, value in options.headers.items()
        }
        return {
            "api_key": self._key(),
            "base_url": options.base_url or _OPENAI,
            "organization": options.organization,
            "project": options.project,
            "default_headers": headers,
            "max_retries": 0,
        }

    async def open(self) -> None:
        """Make the client; raises EndpointError where a key is missing."""
        openai = _library()
        try:
            self._client = self._made(openai.AsyncOpenAI, openai.DefaultAioHttpClient)
        except RuntimeError as error:
            raise MissingExtraError("aiohttp", "openai", "the adapter 'openai'") from error

    def _made(self, client: Callable[..., Any], transport: Callable[..., Any]) -> Any:
        """A client of the official library."""
        arguments = self.arguments()
        # A redirect would carry prompts and headers to another server than the one that was named.
        made = client(**arguments, http_client=transport(follow_redirects=False))
        if self.options.base_url is not None:  # what the environment says of OpenAI's is not for other servers
            made.organization, made.project = self.options.organization, self.options.project
        return made

    async def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def complete(self, request: Request, timeout: float) -> Completion:
        """One chat completion.

        The client sends a plain body and hands over plain bytes: models for both would cost as much as all the rest.
        """
        import aiohttp
        import openai

        body = body_of(self.options, request)
        try:
            content = await self._client.post(_PATH, cast_to=bytes, body=body, options={"timeout": timeout})
        except openai.APIStatusError as error:
            told = error_of(error.status_code, error.response.headers, error.body)
            if isinstance(told, Completion):
                return told
            raise self.cleaned(told) from error
        except (openai.APIConnectionError, aiohttp.ClientError, OSError) as error:
            raise self.cleaned(_lost(error, timeout)) from error
        try:
            return completion_of(content)
        except RequestError as error:
            raise self.cleaned(error) from error

    def complete_in_batches(
        self,
        requests: Iterable[tuple[str, Request]],
        folder: Path,
        stopping: Callable[[], bool] = lambda: False,
        report: Callable[[str], None] = lambda words: None,
    ) -> Iterator[tuple[str, Outcome]]:
        """Complete the requests through the endpoint's Batch API; ``folder`` keeps what was submitted.

        Once ``stopping`` says so, nothing more is submitted or waited for: what has no answer yet is not yielded, and
        the next call with the same folder goes on. ``report`` gets a few words on where the batches stand.
        """
        bodies = ((key, body_of(self.options, request)) for key, request in requests)
        openai = _library()
        client = self._made(openai.OpenAI, openai.DefaultHttpxClient)
        with closing(BatchApi(client, self.cleaned)) as api:
            yield from Batches(api, folder, self.batch_limits, stopping, report).complete(bodies)

    def cleaned(self, error: RequestError | EndpointError) -> RequestError | EndpointError:
        """The error without the keys that a server may have repeated in it, whole, cut off or half masked."""
        message = str(error)
        for secret in self._secrets:
            message = re.sub(re.escape(secret[:_TELLING]) + r"[^\s\"'<,;)]*", "...", message)
        if isinstance(error, EndpointError):
            return EndpointError(message)
        return RequestError(error.failure, message, error.retry_after, error.requests)

    def _key(self) -> str:
        """The key: no other server ever gets the one that is meant for OpenAI, unless it is named."""
        named = self.options.api_key_env
        if named is None and self.options.base_url is not None:
            return "none"
        if self.options.base_url is None and os.environ.get(_OPENAI_ADDRESS):
            raise EndpointError(
                f"the environment variable {_OPENAI_ADDRESS} is not read, as a run must tell whom it asked: name the "
                "endpoint with --option base_url=..., or unset it"
            )
        return self._secret(named or _OPENAI_KEY, "api_key_env")

    def _secret(self, variable: str, option: str) -> str:
        value = os.environ.get(variable, "").strip()
        if not value:
            raise EndpointError(
                f"the environment variable {variable} is not set; set it to the endpoint's key, or name another with "
                f"--option {option}=..."
            )
        if not (value.isascii() and value.isprintable()):
            raise EndpointError(f"the environment variable {variable} holds characters that no key has; set it again")
        # Of "Bearer sk-..." a server repeats only the key.
        self._secrets |= {value, *(part for part in value.split() if len(part) >= _TELLING)}
        return value


def _library() -> Any:
    try:
        import openai
    except ImportError as error:
        raise MissingExtraError("openai", "openai", "the adapter 'openai'") from error
    return openai


def _lost(error: BaseException, timeout: float) -> RequestError:
    """What a request failed with that got no whole answer: its first cause tells which it was."""
    import aiohttp

    while error.__cause__ is not None and not isinstance(error, aiohttp.ClientPayloadError):
        error = error.__cause__
    if isinstance(error, TimeoutError):
        return RequestError(Failure.TIMEOUT, f"no answer within {timeout:g} s")
    cut_off = isinstance(error, aiohttp.ClientPayloadError)
    why = "the answer was cut off" if cut_off else message_of(error) or type(error).__name__
    return RequestError(Failure.CONNECTION, f"the connection failed: {why}")
