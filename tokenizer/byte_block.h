// Sixteen bytes of text at once: what the fast paths for ASCII ask about, with a bit or a byte of result for each byte.
//
// Two implementations, equal by test: SSE2, which every x86-64 has, and plain C++ for other machines.
// Thread-safety: a value.
#ifndef BERTHA_TOKENIZER_BYTE_BLOCK_H_
#define BERTHA_TOKENIZER_BYTE_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace bertha::tokenizer {

/// The bytes that hold no ASCII letter or digit and do not continue a code point; in short: where a word may end.
inline uint32_t PlainMayEndWord(const char* bytes) {
  uint32_t mask = 0;
  for (uint32_t i = 0; i < 16; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    const bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    const bool digit = byte >= '0' && byte <= '9';
    const bool continuation = (byte & 0xC0) == 0x80;
    mask |= static_cast<uint32_t>(!letter && !digit && !continuation) << i;
  }
  return mask;
}

/// The bytes that start a code point.
inline uint32_t PlainStartCharacters(const char* bytes) {
  uint32_t mask = 0;
  for (uint32_t i = 0; i < 16; ++i) mask |= static_cast<uint32_t>((bytes[i] & 0xC0) != 0x80) << i;
  return mask;
}

/// Copies sixteen bytes from `from` to `to`, with ASCII capitals made small if `lowers`, if all of them are printable
/// ASCII. If not, returns false; `to` may then hold anything.
inline bool PlainCopyPrintable(const char* from, char* to, bool lowers) {
  for (size_t i = 0; i < 16; ++i) {
    if (from[i] < ' ' || from[i] > '~') return false;
    to[i] = static_cast<char>(from[i] + (lowers && from[i] >= 'A' && from[i] <= 'Z' ? 0x20 : 0));
  }
  return true;
}

#ifdef __SSE2__

inline __m128i LoadBlock(const char* bytes) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)); }

/// 0xFF where first <= byte <= last, as unsigned numbers.
inline __m128i IsBetween(__m128i bytes, char first, char last) {
  const __m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
  return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(static_cast<char>(last - first))), above);
}

inline uint32_t MayEndWord(const char* bytes) {
  const __m128i block = LoadBlock(bytes);
  const __m128i letters = IsBetween(_mm_or_si128(block, _mm_set1_epi8(0x20)), 'a', 'z');
  const __m128i digits = IsBetween(block, '0', '9');
  const __m128i continuations = IsBetween(block, '\x80', '\xBF');
  return 0xFFFFu &
         ~static_cast<uint32_t>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letters, digits), continuations)));
}

inline uint32_t StartCharacters(const char* bytes) {
  return 0xFFFFu & ~static_cast<uint32_t>(_mm_movemask_epi8(IsBetween(LoadBlock(bytes), '\x80', '\xBF')));
}

inline bool CopyPrintable(const char* from, char* to, bool lowers) {
  const __m128i block = LoadBlock(from);
  if (_mm_movemask_epi8(IsBetween(block, ' ', '~')) != 0xFFFF) return false;
  const __m128i shift = _mm_and_si128(IsBetween(block, 'A', 'Z'), _mm_set1_epi8(lowers ? 0x20 : 0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_add_epi8(block, shift));
  return true;
}

#else

inline uint32_t MayEndWord(const char* bytes) { return PlainMayEndWord(bytes); }
inline uint32_t StartCharacters(const char* bytes) { return PlainStartCharacters(bytes); }
inline bool CopyPrintable(const char* from, char* to, bool lowers) { return PlainCopyPrintable(from, to, lowers); }

#endif

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BYTE_BLOCK_H_
