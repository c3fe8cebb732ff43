// What Encode keeps between calls. Each buffer is cleared by its user before use and never shrinks.
#ifndef BERTHA_TOKENIZER_SCRATCH_H_
#define BERTHA_TOKENIZER_SCRATCH_H_

#include <string>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/stages.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokens.h"

namespace bertha::tokenizer {

/// On cache lines of its own: the sizes of these change with every word, and the next object may be another thread's.
struct alignas(128) Scratch::Impl {
  std::vector<Section> raw_sections, sections;
  std::string normalized;
  NormalizerScratch normalizer;
  Alignment alignment;  // of `normalized`, only where offsets are asked for
  PreTokenized pre_tokenized;
  ModelScratch model;
  std::vector<ByteRange> ranges;  // of the tokens of a section
  Tokens first, second;
  std::vector<Span> first_windows, second_windows;  // of tokens
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_SCRATCH_H_
