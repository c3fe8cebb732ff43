// Mutations of texts that libFuzzer's own, of bytes, seldom find: whole characters, and runs of them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/text_input.h"
#include "tokenizer/utf8.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace bertha::tokenizer::fuzz {
namespace {

using Random = std::minstd_rand;

/// Blocks whose characters the tokenizers treat in different ways; the last is all of Unicode.
char32_t RandomCharacter(Random& random) {
  static const std::vector<std::pair<char32_t, char32_t>> kBlocks = {
      {0x00, 0x7F},     {0x20, 0x7E},       {0x80, 0x24F},      {0x300, 0x36F},     {0x370, 0x52F},
      {0x590, 0x6FF},   {0x900, 0xDFF},     {0x1100, 0x11FF},   {0x1E00, 0x1FFF},   {0x2000, 0x206F},
      {0x20D0, 0x20FF}, {0x3000, 0x33FF},   {0x3400, 0x9FFF},   {0xAC00, 0xD7A3},   {0xF900, 0xFDFF},
      {0xFE00, 0xFFFF}, {0x1D100, 0x1D1FF}, {0x1F1E6, 0x1F6FF}, {0x20000, 0x3134F}, {0x0, 0x10FFFF}};
  const auto [first, last] = kBlocks[random() % kBlocks.size()];
  const char32_t cp = first + static_cast<char32_t>(random() % (last - first + 1));
  return cp >= 0xD800 && cp <= 0xDFFF ? U' ' : cp;
}

/// A border of two characters of `text`, if it is UTF-8.
size_t RandomBorder(const std::string& text, Random& random) {
  size_t at = random() % (text.size() + 1);
  while (at < text.size() && !IsUtf8Start(text[at])) ++at;
  return at;
}

void MutateCharacters(std::string& text, Random& random) {
  const size_t at = RandomBorder(text, random);
  size_t end = RandomBorder(text, random);
  if (random() % 2 == 0 || end < at) {
    end = std::min(at + 1, text.size());
    while (end < text.size() && !IsUtf8Start(text[end])) ++end;
  }
  switch (random() % 5) {
    case 0:  // insert
    case 1: {
      std::string character;
      AppendUtf8(RandomCharacter(random), &character);
      text.insert(at, character);
      break;
    }
    case 2: {  // replace
      std::string character;
      AppendUtf8(RandomCharacter(random), &character);
      text.replace(at, end - at, character);
      break;
    }
    case 3: {  // repeat
      const std::string part = text.substr(at, end - at);
      for (size_t times = 1 + random() % (random() % 8 == 0 ? 200 : 3); times > 0; --times) text.insert(at, part);
      break;
    }
    default: {  // move a part elsewhere
      const std::string part = text.substr(at, end - at);
      text.erase(at, end - at);
      text.insert(RandomBorder(text, random), part);
    }
  }
}

}  // namespace
}  // namespace bertha::tokenizer::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  using namespace bertha::tokenizer::fuzz;  // NOLINT: the function cannot be in a namespace
  Random random(seed);
  if (size < kTextInputHeader || random() % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string text(data + kTextInputHeader, data + size);
  for (size_t times = 1 + random() % 4; times > 0; --times) MutateCharacters(text, random);
  text.resize(std::min(text.size(), max_size - kTextInputHeader));
  std::copy(text.begin(), text.end(), data + kTextInputHeader);
  return kTextInputHeader + text.size();
}
