// What Encode keeps between calls. Each buffer is cleared by its user before use and never shrinks.
#ifndef BERTHA_TOKENIZER_SCRATCH_H_
#define BERTHA_TOKENIZER_SCRATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/stages.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer {

struct Scratch::Impl {
  std::vector<Section> raw_sections, sections;
  std::string normalized;
  NormalizerScratch normalizer;
  std::vector<ByteRange> words;
  std::vector<int32_t> first, second;  // ids of the two texts
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_SCRATCH_H_
