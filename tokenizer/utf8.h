// UTF-8: validation, decoding, encoding (The Unicode Standard, section 3.9, table 3-7).
//
// Thread-safety: pure functions. Decoding requires text that FindInvalidUtf8 has accepted.
#ifndef BERTHA_TOKENIZER_UTF8_H_
#define BERTHA_TOKENIZER_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace bertha::tokenizer {

/// Byte offset of the first ill-formed sequence, or npos if the text is UTF-8. Surrogates and overlong forms are
/// ill-formed.
size_t FindInvalidUtf8(absl::string_view text);

/// Byte offset of the first byte that is not ASCII, or the size of the text.
size_t FindNonAscii(absl::string_view text);

/// True if the byte starts a code point.
inline bool IsUtf8Start(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

/// As many of its first `most` bytes as are whole code points.
inline absl::string_view Utf8Prefix(absl::string_view text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && !IsUtf8Start(text[most])) --most;
  return text.substr(0, most);
}

inline bool IsAscii(char byte) { return static_cast<signed char>(byte) >= 0; }

/// Decodes the code point at `*at` and moves `*at` past it.
inline char32_t DecodeUtf8(absl::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[*at + i]); };
  const char32_t first = byte(0);
  if (first < 0x80) {
    *at += 1;
    return first;
  }
  if (first < 0xE0) {
    const char32_t cp = (first & 0x1F) << 6 | (byte(1) & 0x3Fu);
    *at += 2;
    return cp;
  }
  if (first < 0xF0) {
    const char32_t cp = (first & 0x0F) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    *at += 3;
    return cp;
  }
  const char32_t cp = (first & 0x07) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
  *at += 4;
  return cp;
}

/// The code point that ends just before byte `end`, which is not 0.
inline char32_t DecodeUtf8Before(absl::string_view text, size_t end, size_t* start) {
  size_t at = end - 1;
  while (!IsUtf8Start(text[at])) --at;
  *start = at;
  return DecodeUtf8(text, &at);
}

inline void AppendUtf8(char32_t cp, std::string* out) {
  if (cp < 0x80) {
    out->push_back(static_cast<char>(cp));
    return;
  }
  char bytes[4];
  size_t size = 0;
  if (cp < 0x800) {
    bytes[size++] = static_cast<char>(0xC0 | cp >> 6);
  } else {
    if (cp < 0x10000) {
      bytes[size++] = static_cast<char>(0xE0 | cp >> 12);
    } else {
      bytes[size++] = static_cast<char>(0xF0 | cp >> 18);
      bytes[size++] = static_cast<char>(0x80 | (cp >> 12 & 0x3F));
    }
    bytes[size++] = static_cast<char>(0x80 | (cp >> 6 & 0x3F));
  }
  bytes[size++] = static_cast<char>(0x80 | (cp & 0x3F));
  out->append(bytes, size);
}

/// Number of code points.
inline size_t CountCodePoints(absl::string_view text) {
  // Eight bytes at a time: those that start a code point have a top bit of 0 or a next one of 1.
  constexpr uint64_t kOnes = 0x0101010101010101;
  size_t count = 0;
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= text.size(); at += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof(word));
    count += ((~word >> 7 | word >> 6) & kOnes) * kOnes >> 56;
  }
  for (; at < text.size(); ++at) count += IsUtf8Start(text[at]);
  return count;
}

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_UTF8_H_
