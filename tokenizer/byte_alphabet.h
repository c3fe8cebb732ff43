// The byte alphabet of GPT-2: a printable character for each byte, in which its files spell tokens.
//
// Bytes that are printable characters of Latin-1 stand for themselves; the others, in order, for U+0100 and up.
// So a space is U+0120, which looks like a G with a dot.
// Thread-safety: pure functions.
// Source: Radford et al., "Language models are unsupervised multitask learners", 2019; openai/gpt-2, encoder.py.
#ifndef BERTHA_TOKENIZER_BYTE_ALPHABET_H_
#define BERTHA_TOKENIZER_BYTE_ALPHABET_H_

#include <array>
#include <cstdint>
#include <string>

namespace bertha::tokenizer {

/// The character of each byte, in UTF-8.
const std::array<std::string, 256>& ByteAlphabet();

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BYTE_ALPHABET_H_
