"""How many tokens a chat has: counted with the model's own tokenizer where one is at hand, else estimated.

    counter                    what is counted                                              exact
    a Hugging Face tokenizer   the chat as its own chat template writes it                  yes
    the same, no template      the messages' texts, and a frame for each message            no
    tiktoken                   the messages' texts, and OpenAI's frame for each message     yes
    by script                  the characters, at so many tokens each                       no

Nothing is downloaded: a tokenizer is a path, and tiktoken's files are used where they are in its cache already.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha1, sha256
from itertools import islice
from pathlib import Path

from massie.prompting import Message
from massie.running.hugging_face import ChatTemplate, Tokenizer, read_chat_template, read_tokenizer
from massie.running.scripts import tokens_by_script

PER_MESSAGE, PER_CHAT = 4, 3
"""The tokens of OpenAI's chat frame: around each message (with its role), and of the answer that is begun.

From OpenAI's cookbook, "How to count tokens with tiktoken"; others' frames are of much the same length.
"""

# tiktoken's files by SHA-256, which it checks itself, but then downloads anew what does not match.
_ENCODINGS = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
_CHATS_AT_ONCE = 1000
_REMEMBERED = 10_000


class TokenCounter:
    """Counts the tokens of chats.

    ``name`` says what counts, in words for the plan; ``exact`` whether that is the model's own way. A chat is cut into
    pieces that can be counted apart, and a piece that many chats share (instruction, demonstrations) is counted once.
    """

    def __init__(
        self,
        name: str,
        *,
        exact: bool,
        pieces: Callable[[Sequence[Message]], list[str]],
        lengths: Callable[[list[str]], Sequence[float]],
        frame: tuple[int, int] = (PER_MESSAGE, PER_CHAT),
    ) -> None:
        self.name = name
        self.exact = exact
        self._pieces = pieces
        self._lengths = lengths
        self._per_message, self._per_chat = frame
        self._known: dict[str, float] = {}

    def count(self, messages: Sequence[Message]) -> int:
        """The tokens of one chat, with those that begin the answer."""
        return next(self.count_all([messages]))

    def count_all(self, chats: Iterable[Sequence[Message]]) -> Iterator[int]:
        """The tokens of each chat, in their order; many are tokenized at once."""
        rest = iter(chats)
        while some := list(islice(rest, _CHATS_AT_ONCE)):
            cut = [self._pieces(messages) for messages in some]
            self._learn({piece for pieces in cut for piece in pieces})
            for messages, pieces in zip(some, cut, strict=True):
                frame = self._per_message * len(messages) + self._per_chat
                yield frame + round(sum(self._known[piece] for piece in pieces))

    def _learn(self, pieces: set[str]) -> None:
        """Have the length of every piece known; what was known before is dropped where it is too much."""
        if len(self._known) > _REMEMBERED:
            self._known = {piece: self._known[piece] for piece in pieces & self._known.keys()}
        new = list(pieces - self._known.keys())
        self._known.update(zip(new, self._lengths(new), strict=True))


def token_counter(model: str, tokenizer: Path | None = None) -> TokenCounter:
    """What counts the tokens of a model's chats.

    ``tokenizer`` is a ``tokenizer.json`` or the folder of a Hugging Face model that holds one. Without it, tiktoken
    counts for OpenAI's models where its file is in its cache, and all others are estimated. Raises UserError where the
    path holds no tokenizer, MissingExtraError where it cannot be read for want of a package.
    """
    if tokenizer is not None:
        return _hugging_face(tokenizer)
    return _tiktoken(model) or _estimate()


def _hugging_face(path: Path) -> TokenCounter:
    tokenizer = read_tokenizer(path)
    template = read_chat_template(path)
    if template is None:
        name = f"{path}, which has no chat template: {PER_MESSAGE} tokens are taken for the frame of each message"
        return TokenCounter(name, exact=False, pieces=_contents, lengths=tokenizer.lengths)
    pieces = _rendered(tokenizer, template)
    return TokenCounter(str(path), exact=True, pieces=pieces, lengths=tokenizer.lengths, frame=(0, 0))


def _rendered(tokenizer: Tokenizer, template: ChatTemplate) -> Callable[[Sequence[Message]], list[str]]:
    return lambda messages: tokenizer.cut(template.render(messages))


def _contents(messages: Sequence[Message]) -> list[str]:
    return [message["content"] for message in messages]


def _tiktoken(model: str) -> TokenCounter | None:
    """tiktoken, where it is installed, knows the model, and has the encoding's file in its cache."""
    try:
        import tiktoken
    except ImportError:
        return None
    try:
        name = tiktoken.encoding_name_for_model(model.rpartition("/")[2])
    except KeyError:
        return None
    if name not in _ENCODINGS or not _is_cached(name):
        return None
    encoding = tiktoken.get_encoding(name)

    def lengths(texts: list[str]) -> list[int]:
        return [len(tokens) for tokens in encoding.encode_ordinary_batch(texts, num_threads=os.cpu_count() or 1)]

    return TokenCounter(f"tiktoken's {name}", exact=True, pieces=_contents, lengths=lengths)


def _is_cached(encoding: str) -> bool:
    """Whether tiktoken will find an encoding's file in its cache, whole, and so ask for nothing."""
    default = str(Path(tempfile.gettempdir(), "data-gym-cache"))
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", default))
    address = f"https://openaipublic.blob.core.windows.net/encodings/{encoding}.tiktoken"
    path = Path(folder, sha1(address.encode()).hexdigest())  # noqa: S324 (a file's name)
    try:
        return bool(folder) and sha256(path.read_bytes()).hexdigest() == _ENCODINGS[encoding]
    except OSError:
        return False


def _estimate() -> TokenCounter:
    def lengths(texts: list[str]) -> list[float]:
        return [tokens_by_script(text) for text in texts]

    return TokenCounter("an estimate by script", exact=False, pieces=_contents, lengths=lengths)
