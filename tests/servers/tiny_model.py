"""A real language model of random weights, made here and small enough for a test: what it says means nothing.

    python tests/servers/tiny_model.py FOLDER

The folder loads offline with ``AutoModelForCausalLM`` and ``AutoTokenizer``, chat template included.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

CONTEXT = 2048
START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"

TEXT = """\
The mayor of the small town opened a new bridge over the river on Monday morning.
Der Zug nach Süden fährt heute später, weil auf den Gleisen ein Baum liegt.
La maîtresse a fêté son anniversaire à l'école avec un gâteau aux pommes.
El niño pequeño compró tres naranjas y un libro en la plaza del pueblo.
Поезд опоздал на два часа, и мы пили чай на старой станции у леса.
Το καράβι έφυγε το πρωί από το λιμάνι με πολλούς επιβάτες.
فتح الرجل نافذة البيت القديم ونظر إلى البحر الأزرق.
הילדה כתבה מכתב ארוך לסבתא שלה שגרה ליד הים.
बच्चे बगीचे में खेल रहे थे और माँ खाना बना रही थी।
শিশুরা নদীর ধারে বসে গল্প শুনছিল আর পাখি ডাকছিল।
குழந்தைகள் மரத்தின் நிழலில் அமர்ந்து கதை கேட்டார்கள்.
เด็กสองคนนั่งกินข้าวอยู่ใต้ต้นไม้ใหญ่ใกล้บ้าน
子供たちは公園で赤い花を見つけて、母に渡しました。
孩子们在河边放风筝,老人坐在树下喝茶聊天。
아이들은 언덕 위에서 연을 날리고 할머니는 노래를 불렀다.
ልጆቹ በወንዙ ዳር ተቀምጠው ታሪክ ሰሙ።
Extract all entities of the listed types from the text and answer with a JSON list only.
[{"type": "PERSON", "span": "nobody"}, {"head": "a", "relation": "none", "tail": "b"}]
"""

CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""


def make_tiny_model(folder: Path) -> Path:
    """Write a Qwen3 model of 2 layers and its tokenizer into the folder, and return the folder; the same every time."""
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=CONTEXT,
        # So large that what is said depends on what was asked.
        initializer_range=0.3,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen3ForCausalLM(config).eval()
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, trained on the text above; it can write any text."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=1024,
        special_tokens=[PAD, START, END],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT.splitlines(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
        padding_side="left",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the model is to lie")
    print(make_tiny_model(parser.parse_args().folder))
