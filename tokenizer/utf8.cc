#include "tokenizer/utf8.h"

#include <cstdint>
#include <cstring>

namespace bertha::tokenizer {
namespace {

/// Length of the well-formed sequence at the start of [p, end), or 0.
size_t SequenceLength(const unsigned char* p, const unsigned char* end) {
  const auto in = [&](size_t i, unsigned char low, unsigned char high) {
    return p + i < end && p[i] >= low && p[i] <= high;
  };
  if (p[0] < 0x80) return 1;
  if (p[0] < 0xC2) return 0;
  if (p[0] < 0xE0) return in(1, 0x80, 0xBF) ? 2 : 0;
  if (p[0] < 0xF0) {
    const unsigned char low = p[0] == 0xE0 ? 0xA0 : 0x80;   // no overlong forms
    const unsigned char high = p[0] == 0xED ? 0x9F : 0xBF;  // no surrogates
    return in(1, low, high) && in(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (p[0] > 0xF4) return 0;
  const unsigned char low = p[0] == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = p[0] == 0xF4 ? 0x8F : 0xBF;  // up to U+10FFFF
  return in(1, low, high) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) ? 4 : 0;
}

bool NextEightAreAscii(const unsigned char* p, const unsigned char* end) {
  uint64_t word;
  if (static_cast<size_t>(end - p) < sizeof(word)) return false;
  std::memcpy(&word, p, sizeof(word));
  return (word & 0x8080808080808080u) == 0;
}

}  // namespace

size_t FindInvalidUtf8(absl::string_view text) {
  const auto* begin = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = begin + text.size();
  for (const auto* p = begin; p < end;) {
    if (NextEightAreAscii(p, end)) {
      p += 8;
      continue;
    }
    const size_t length = SequenceLength(p, end);
    if (length == 0) return static_cast<size_t>(p - begin);
    p += length;
  }
  return absl::string_view::npos;
}

size_t FindNonAscii(absl::string_view text) {
  const auto* begin = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = begin + text.size();
  const auto* p = begin;
  while (NextEightAreAscii(p, end)) p += 8;
  while (p < end && *p < 0x80) ++p;
  return static_cast<size_t>(p - begin);
}

}  // namespace bertha::tokenizer
